"""The audio modality: log-mel spectrograms of digits that espeak-ng speaks, in noise."""

import re
import shutil
import subprocess

import numpy as np
from numpy.typing import NDArray

from edgestill.data.av_digits.roster import SEED, User
from edgestill.errors import InputError
from edgestill.seeds import generator

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
RATE_HZ = 22_050
BANDS, FRAMES = 24, 32
WINDOW, HOP = 1_024, 512
SAMPLES = HOP * (FRAMES - 1) + WINDOW
LOWEST_HZ, HIGHEST_HZ = 80.0, 8_000.0
RANGE_DB = 50.0
SNR_DB = (-6.0, 9.0)
_WAV_HEADER_BYTES = 44


def spectrogram(program: str, user: User, digit: int, sample: int) -> NDArray[np.uint8]:
    """Return one rendering: [1, BANDS, FRAMES] uint8, where 255 is the loudest cell.

    Pitch and speed are the user's own with a little variation from rendering to rendering; the
    noise is white, pink or brown at a signal-to-noise ratio drawn from ``SNR_DB``.
    """
    own = generator(SEED, "voice", device=user.index)
    pitch, speed_wpm = own.uniform(25, 75), own.uniform(130, 220)
    rng = generator(SEED, "rendering", device=sample)
    pitch, speed_wpm = pitch + rng.normal(0, 6), speed_wpm * rng.uniform(0.9, 1.1)
    wave = speak(program, user.voice, WORDS[digit], round(pitch), round(speed_wpm))
    return log_mel(_in_noise(_placed(wave, rng), rng))[None]


def speak(program: str, voice: str, word: str, pitch: int, speed_wpm: int) -> NDArray[np.float64]:
    """Return espeak-ng's waveform in -1..1 at ``RATE_HZ``, silence at both ends cut off.

    Args:
        program: path of espeak-ng.
        voice: accent and variant, such as ``en-us+f2``.
        word: what is said.
        pitch: 0..99.
        speed_wpm: words per minute, from 80.
    """
    command = [program, "-v", voice, "-p", str(pitch), "-s", str(speed_wpm), "--stdout", word]
    sound = subprocess.run(command, check=True, capture_output=True).stdout  # noqa: S603
    wave = np.frombuffer(sound, "<i2", offset=_WAV_HEADER_BYTES).astype(np.float64) / 32_768
    loud = np.flatnonzero(np.abs(wave) > 0.02 * np.abs(wave).max())
    return wave[loud[0] : loud[-1] + 1]


def find_program() -> str:
    """Return the path of espeak-ng.

    Raises:
        InputError: it is not installed.
    """
    program = shutil.which("espeak-ng")
    if program is None:
        raise InputError("espeak-ng: not found on PATH; install Debian's package espeak-ng")
    return program


def version(program: str) -> str:
    """Return espeak-ng's version, such as ``1.51``."""
    told = subprocess.run([program, "--version"], check=True, capture_output=True)  # noqa: S603
    found = re.search(rb"\d+(\.\d+)+", told.stdout)
    return found.group().decode() if found else "unknown"


def log_mel(wave: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return the [BANDS, FRAMES] uint8 spectrogram of ``SAMPLES`` samples.

    Power in triangular bands, equally wide on the mel scale, in decibels: 0 is ``RANGE_DB`` below
    the loudest cell, 255 the loudest cell itself.
    """
    frames = np.lib.stride_tricks.sliding_window_view(wave, WINDOW)[::HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(WINDOW), axis=1)) ** 2
    level_db = 10 * np.log10(power @ _mel_bands().T + 1e-12).T
    share = np.clip(1 + (level_db - level_db.max()) / RANGE_DB, 0, 1)
    codes: NDArray[np.uint8] = np.rint(255 * share).astype(np.uint8)
    return codes


def _mel_bands() -> NDArray[np.float64]:
    """Return triangular weights [BANDS, WINDOW // 2 + 1] over the Fourier bins."""
    edges_mel = np.linspace(_mel(LOWEST_HZ), _mel(HIGHEST_HZ), BANDS + 2)
    edges_hz = 700 * (10 ** (edges_mel / 2595) - 1)
    bins_hz = np.fft.rfftfreq(WINDOW, 1 / RATE_HZ)
    low, centre, high = (edges_hz[i : i + BANDS, None] for i in range(3))
    rising, falling = (bins_hz - low) / (centre - low), (high - bins_hz) / (high - centre)
    return np.maximum(0.0, np.minimum(rising, falling))


def _mel(frequency_hz: float) -> float:
    return float(2595 * np.log10(1 + frequency_hz / 700))


def _placed(wave: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Put the word somewhere in the window, at unit power; one that is too long loses its end."""
    wave = wave[:SAMPLES] / np.sqrt(np.mean(wave**2))
    start = int(rng.integers(0, SAMPLES - len(wave) + 1))
    return np.pad(wave, (start, SAMPLES - len(wave) - start))


def _in_noise(wave: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Add noise whose power falls by 0, 1 or 2 powers of the frequency (white, pink, brown)."""
    exponent = rng.integers(0, 3)
    spectrum = np.fft.rfft(rng.standard_normal(SAMPLES))
    shape = np.maximum(np.fft.rfftfreq(SAMPLES, 1 / RATE_HZ), LOWEST_HZ) ** (-exponent / 2)
    noise = np.fft.irfft(spectrum * shape, SAMPLES)
    noise /= np.sqrt(np.mean(noise**2))
    return wave + noise * 10 ** (-rng.uniform(*SNR_DB) / 20)
