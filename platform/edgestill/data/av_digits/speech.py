"""The audio modality: log-mel spectrograms of digits that espeak-ng speaks, in noise."""

import numpy as np
from numpy.typing import NDArray

from edgestill.data.av_digits.roster import SEED, User
from edgestill.data.building import espeak
from edgestill.data.spectrogram import MelSpectrogram, coloured_noise, placed
from edgestill.seeds import generator

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
FORM = MelSpectrogram(
    rate_hz=espeak.RATE_HZ,
    bands=24,
    frames=32,
    window=1_024,
    hop=512,
    lowest_hz=80.0,
    highest_hz=8_000.0,
    range_db=50.0,
)
SNR_DB = (-6.0, 9.0)


def spectrogram(program: str, user: User, digit: int, sample: int) -> NDArray[np.uint8]:
    """Return one rendering: [1, 24, 32] uint8, where 255 is the loudest cell.

    Pitch and speed are the user's own with a little variation from rendering to rendering; the
    noise is white, pink or brown at a signal-to-noise ratio drawn from ``SNR_DB``.
    """
    own = generator(SEED, "voice", device=user.index)
    pitch, speed_wpm = own.uniform(25, 75), own.uniform(130, 220)
    rng = generator(SEED, "rendering", device=sample)
    pitch, speed_wpm = pitch + rng.normal(0, 6), speed_wpm * rng.uniform(0.9, 1.1)
    wave = espeak.speak(
        program, user.voice, WORDS[digit], pitch=round(pitch), speed_wpm=round(speed_wpm)
    )
    wave = placed(wave / np.sqrt(np.mean(wave**2)), FORM.samples, rng)
    noise = coloured_noise(FORM, rng)
    return FORM.cells(wave + noise * 10 ** (-rng.uniform(*SNR_DB) / 20))[None]
