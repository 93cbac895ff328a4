"""The audio modality: words that mean nothing, spoken by espeak-ng with prosody, in noise."""

import numpy as np
from numpy.typing import NDArray

from edgestill.data.affect.roster import SEED, User
from edgestill.data.affect.style import Vector
from edgestill.data.building import espeak
from edgestill.data.spectrogram import MelSpectrogram, coloured_noise, placed
from edgestill.seeds import generator

WORDS = (
    "the bus stops here",
    "it is half past ten",
    "the box is on the shelf",
    "we live on this street",
    "the keys are in the drawer",
    "there is bread and milk",
)
FORM = MelSpectrogram(
    rate_hz=espeak.RATE_HZ,
    bands=24,
    frames=32,
    window=1_536,
    hop=1_024,
    lowest_hz=80.0,
    highest_hz=5_000.0,
    range_db=60.0,
)
LOUDEST_DB = 66.0
NOISE_DB = (-16.0, -2.0)
"""Power of the background relative to speech of mean loudness."""
LOUDNESS_DB = 6.0
GREY_LEVELS = 32


def spectrogram(program: str, user: User, expression: Vector, sample: int) -> NDArray[np.uint8]:
    """Return one rendering: [1, 24, 32] uint8, on a fixed scale, so that loudness is told.

    The user's own pitch and speed are what the expression is added to.
    """
    own = generator(SEED, "voice", device=user.index)
    pitch, speed_wpm = own.uniform(35, 65), own.uniform(160, 200)
    loudness_db = own.normal(0, 1.5)
    rng = generator(SEED, "rendering", device=sample)
    raised, widened, hastened, louder = expression
    words = WORDS[int(rng.integers(len(WORDS)))]
    span = round(float(np.clip(100 * 2**widened, 10, 400)))
    wave = espeak.speak(
        program,
        user.voice,
        f'<speak><prosody range="{span}%">{words}</prosody></speak>',
        pitch=round(float(np.clip(pitch + 25 * raised, 0, 99))),
        speed_wpm=round(float(np.clip(speed_wpm * 1.35**hastened, 80, 400))),
        ssml=True,
    )
    gain = 10 ** ((loudness_db + LOUDNESS_DB * louder) / 20) / np.sqrt(np.mean(wave**2))
    noise = coloured_noise(FORM, rng) * 10 ** (rng.uniform(*NOISE_DB) / 20)
    cells = FORM.cells(placed(wave * gain, FORM.samples, rng) + noise, loudest_db=LOUDEST_DB)
    step = 256 // GREY_LEVELS
    return np.asarray(cells // step * step + step // 2, np.uint8)[None]
