"""Words spoken by espeak-ng, a program on PATH."""

import re
import shutil
import subprocess

import numpy as np
from numpy.typing import NDArray

from edgestill.errors import InputError

RATE_HZ = 22_050
_WAV_HEADER_BYTES = 44


def speak(
    program: str, voice: str, words: str, *, pitch: int, speed_wpm: int, ssml: bool = False
) -> NDArray[np.float64]:
    """Return espeak-ng's waveform in -1..1 at ``RATE_HZ``, silence at both ends cut off.

    Args:
        program: path of espeak-ng.
        voice: accent and variant, such as ``en-us+f2``.
        words: what is said.
        pitch: 0..99.
        speed_wpm: words per minute, from 80.
        ssml: whether the words hold marks of the Speech Synthesis Markup Language.
    """
    command = [program, "-v", voice, "-p", str(pitch), "-s", str(speed_wpm)]
    command += [*(["-m"] if ssml else []), "--stdout", words]
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
