"""Log-mel spectrograms in eight bits."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class MelSpectrogram:
    """How a wave becomes [bands, frames] cells: triangular bands, equally wide on the mel scale.

    ``window`` and ``hop`` are in samples; ``range_db`` is what the cells 0..255 span.
    """

    rate_hz: int
    bands: int
    frames: int
    window: int
    hop: int
    lowest_hz: float
    highest_hz: float
    range_db: float

    @property
    def samples(self) -> int:
        """How many samples of the wave the frames cover."""
        return self.hop * (self.frames - 1) + self.window

    def power_db(self, wave: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the power [bands, frames] in decibels of a wave of :attr:`samples` samples."""
        frames = np.lib.stride_tricks.sliding_window_view(wave, self.window)[:: self.hop]
        power = np.abs(np.fft.rfft(frames * np.hanning(self.window), axis=1)) ** 2
        return np.asarray(10 * np.log10(power @ self._bands().T + 1e-12).T, np.float64)

    def cells(
        self, wave: NDArray[np.float64], *, loudest_db: float | None = None
    ) -> NDArray[np.uint8]:
        """Return uint8 [bands, frames]: 255 is ``loudest_db``, 0 is ``range_db`` below it.

        Without ``loudest_db`` the loudest cell is 255, so that loudness itself is not told.
        """
        level_db = self.power_db(wave)
        top_db = level_db.max() if loudest_db is None else loudest_db
        share = np.clip(1 + (level_db - top_db) / self.range_db, 0, 1)
        codes: NDArray[np.uint8] = np.rint(255 * share).astype(np.uint8)
        return codes

    def _bands(self) -> NDArray[np.float64]:
        """Return triangular weights [bands, window // 2 + 1] over the Fourier bins."""
        edges_mel = np.linspace(_mel(self.lowest_hz), _mel(self.highest_hz), self.bands + 2)
        edges_hz = 700 * (10 ** (edges_mel / 2595) - 1)
        bins_hz = np.fft.rfftfreq(self.window, 1 / self.rate_hz)
        low, centre, high = (edges_hz[i : i + self.bands, None] for i in range(3))
        rising, falling = (bins_hz - low) / (centre - low), (high - bins_hz) / (high - centre)
        return np.maximum(0.0, np.minimum(rising, falling))


def placed(
    wave: NDArray[np.float64], samples: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Put a sound somewhere in a window of silence; one that is too long loses its end."""
    wave = wave[:samples]
    start = int(rng.integers(0, samples - len(wave) + 1))
    return np.pad(wave, (start, samples - len(wave) - start))


def coloured_noise(
    form: MelSpectrogram, rng: np.random.Generator, exponents: tuple[int, ...] = (0, 1, 2)
) -> NDArray[np.float64]:
    """Return unit-power noise whose power falls by one of the powers of the frequency.

    0, 1 and 2 are white, pink and brown.
    """
    exponent = exponents[int(rng.integers(0, len(exponents)))]
    spectrum = np.fft.rfft(rng.standard_normal(form.samples))
    frequencies_hz = np.fft.rfftfreq(form.samples, 1 / form.rate_hz)
    shape = np.maximum(frequencies_hz, form.lowest_hz) ** (-exponent / 2)
    noise = np.fft.irfft(spectrum * shape, form.samples)
    return np.asarray(noise / np.sqrt(np.mean(noise**2)), np.float64)


def _mel(frequency_hz: float) -> float:
    return float(2595 * np.log10(1 + frequency_hz / 700))
