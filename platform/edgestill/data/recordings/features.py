"""From a clip's files to the arrays that models see: a spectrogram, and the face in the middle."""

import struct
import warnings
from math import gcd
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from scipy.io import wavfile

from edgestill.data.recordings.names import Clip
from edgestill.data.spectrogram import MelSpectrogram
from edgestill.errors import DataError

FORM = MelSpectrogram(
    rate_hz=16_000,
    bands=40,
    frames=96,
    window=1_024,
    hop=512,
    lowest_hz=80.0,
    highest_hz=7_600.0,
    range_db=60.0,
)
PICTURE_SIZE = 64
FRAME_ENDINGS = (".png", ".jpg", ".jpeg")
_SILENCE_SHARE = 0.01
"""Of the peak, -40 dB: what is below at both ends is cut off."""
_LEAST_LOUDEST_DB = -40.0
"""A clip whose loudest cell is below is silence, not the loudest thing there is."""


def spectrogram(path: Path) -> NDArray[np.uint8]:
    """Return a wav file as [1, 40, 96] uint8: its middle 3.1 s, padded by silence if shorter.

    255 is the loudest cell of the clip.

    Raises:
        DataError: the file cannot be read as sound.
    """
    wave = _middle(_without_silence(_read(path)))
    loudest_db = max(float(FORM.power_db(wave).max()), _LEAST_LOUDEST_DB)
    return FORM.cells(wave, loudest_db=loudest_db)[None]


def middle_frame(clip: Clip, frames: Path) -> Path:
    """Return the file of a clip's middle frame.

    Raises:
        DataError: the clip has no frames.
    """
    for name in clip.frame_folders:
        folder = frames / name
        if folder.is_dir():
            found = sorted(p for p in folder.iterdir() if p.suffix.lower() in FRAME_ENDINGS)
            if found:
                return found[len(found) // 2]
    wanted = " or ".join(clip.frame_folders)
    raise DataError(
        f"{frames} (data.path): no frames for {clip.wav.name}; expected pictures in {wanted}, "
        "or no folder frames at all for the audio alone"
    )


def picture(path: Path) -> NDArray[np.uint8]:
    """Return a frame in grey, its middle square scaled to [1, 64, 64] uint8.

    Raises:
        DataError: it cannot be read as a picture.
    """
    try:
        with Image.open(path) as image:
            grey = image.convert("L")
    except (OSError, UnidentifiedImageError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path} (data.path): cannot be read as a picture: {error}") from error
    side = min(grey.size)
    left, top = ((length - side) // 2 for length in grey.size)
    square = grey.resize(
        (PICTURE_SIZE, PICTURE_SIZE),
        Image.Resampling.BILINEAR,
        box=(left, top, left + side, top + side),
    )
    return np.asarray(square, np.uint8)[None]


def _read(path: Path) -> NDArray[np.float64]:
    """Return the sound in -1..1, one channel, at the rate of :data:`FORM`."""
    try:
        with warnings.catch_warnings():
            # Chunks that say who recorded it and how are none of ours.
            warnings.simplefilter("ignore", wavfile.WavFileWarning)
            rate_hz, stored = wavfile.read(path)
    except FileNotFoundError as error:
        raise DataError(f"{path} (data.path): no such file") from error
    except (OSError, ValueError, EOFError, TypeError, ArithmeticError, struct.error) as error:
        raise _unreadable(path, error) from error
    if not len(stored) or rate_hz < 1:
        raise DataError(f"{path} (data.path): holds no sound; expected a wav of speech")
    whole = 1.0 if stored.dtype.kind == "f" else float(np.iinfo(stored.dtype).max) + 1
    centre = whole / 2 if stored.dtype.kind == "u" else 0.0
    wave = (stored.astype(np.float64) - centre) / (whole - centre)
    wave = wave if wave.ndim == 1 else wave.mean(axis=1)
    if not np.isfinite(wave).all():
        raise DataError(f"{path} (data.path): NaN or infinity in its samples")
    shared = gcd(rate_hz, FORM.rate_hz)
    from scipy.signal import resample_poly  # takes a second, in every process that imports data

    return np.asarray(resample_poly(wave, FORM.rate_hz // shared, rate_hz // shared), np.float64)


def _unreadable(path: Path, error: Exception) -> DataError:
    reason = " ".join(str(error).split())
    with path.open("rb") as stream:
        if stream.read(8) == b"version ":
            reason = "a pointer of Git LFS, not the sound; fetch the files with git lfs pull"
    return DataError(f"{path} (data.path): cannot be read as a wav: {reason}")


def _without_silence(wave: NDArray[np.float64]) -> NDArray[np.float64]:
    loud = np.flatnonzero(np.abs(wave) > _SILENCE_SHARE * np.abs(wave).max())
    return wave[loud[0] : loud[-1] + 1] if len(loud) else wave


def _middle(wave: NDArray[np.float64]) -> NDArray[np.float64]:
    missing = max(0, FORM.samples - len(wave))
    wave = np.pad(wave, (missing // 2, missing - missing // 2))
    start = (len(wave) - FORM.samples) // 2
    return wave[start : start + FORM.samples]
