"""Build the committed artefact: ``python -m edgestill.data.av_digits.build --out FILE``.

The artefact is a zip (LZMA) of a manifest folder. With the same versions of espeak-ng, numpy and
scikit-learn the bytes are the same. Beside FILE its SHA-256 is written, which loading checks.
"""

from collections.abc import Mapping
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from sklearn.datasets import load_digits

from edgestill.data.arrays import npy_bytes
from edgestill.data.av_digits import images, motion, roster, speech
from edgestill.data.building import (
    find_program,
    modality_entries,
    run_build,
    version,
    write_artefact,
    yaml_bytes,
)

Array = NDArray[Any]


def build(out: Path) -> str:
    """Write the artefact to ``out`` and its SHA-256, which is returned, to ``out``.sha256.

    Raises:
        InputError: espeak-ng is not installed.
        OSError: ``out`` cannot be written.
    """
    source = load_digits()
    pixels, digits = np.asarray(source.data, np.float64), np.asarray(source.target, np.int64)
    users = list(roster.users())
    public = np.array([i for user in users if user.split == "public" for i in user.images])
    arrays = _record(users, images.degrade(pixels, public), digits)
    members = {"manifest.yaml": _manifest(users, arrays, images.kept_energy_ratio(pixels, public))}
    members |= {f"{name}.npy": npy_bytes(array) for name, array in arrays.items()}
    return write_artefact(out, members)


def _record(users: list[roster.User], pictures: Array, digits: Array) -> dict[str, Array]:
    """Return the folder's arrays, one row per rendering, in the order of the users."""
    program = find_program()
    dealt = [(user, image) for user in users for image in user.images]
    rows = [pair for pair in dealt for _ in range(roster.RENDERINGS)]
    audio, sensor = [], []
    for sample, (user, image) in enumerate(track(rows, "speaking and writing")):
        digit = int(digits[image])
        audio.append(speech.spectrogram(program, user, digit, sample))
        sensor.append(motion.trace(user, digit, sample))
    shown = np.array([image for _, image in rows])
    return {
        "visual": pictures[shown],
        "audio": np.stack(audio),
        "sensor": np.stack(sensor),
        "labels": digits[shown].astype(np.uint8),
        "users": np.array([user.index for user, _ in rows], np.int16),
    }


def _manifest(users: list[roster.User], arrays: Mapping[str, Array], energy_ratio: float) -> bytes:
    splits = _splits(users)
    inputs = {kind: arrays[kind] for kind in ("visual", "audio", "sensor")}
    modalities = modality_entries(inputs, splits["public"])
    modalities[-1]["synthetic"] = True
    tree = {
        "name": "av_digits",
        "classes": 10,
        "modalities": modalities,
        "labels": "labels.npy",
        "users": "users.npy",
        "splits": splits,
        "provenance": _provenance(users, energy_ratio),
    }
    return yaml_bytes(tree)


def _splits(users: list[roster.User]) -> dict[str, list[int]]:
    splits, start = {}, 0
    for split in roster.USERS:
        count = sum(len(user.images) for user in users if user.split == split)
        splits[split] = [start, start + count * roster.RENDERINGS]
        start = splits[split][1]
    return splits


def _provenance(users: list[roster.User], energy_ratio: float) -> dict[str, Any]:
    program = version(find_program())
    voices = {
        split: sorted(user.voice for user in users if user.split == split) for split in roster.USERS
    }
    return {
        "visual": {
            "source": "Optical Recognition of Handwritten Digits, UCI, as in scikit-learn",
            "licence": "CC BY 4.0 (Alpaydin & Kaynak, 1998)",
            "change": f"first {images.COMPONENTS} principal components of the public images",
            "kept_energy_ratio": round(energy_ratio, 4),
        },
        "audio": {
            "source": f"spoken by espeak-ng {program}",
            "licence": "espeak-ng is GPL-3.0-or-later; the licence does not cover what it speaks",
            "snr_db": list(speech.SNR_DB),
            "voices": voices,
        },
        "sensor": {
            "source": "SYNTHETIC: computed from pen strokes drawn by hand; nobody wore a sensor",
            "sampling_rate_hz": motion.RATE_HZ,
            "accelerometer_full_scale_m_per_s2": motion.ACCELEROMETER_FULL_SCALE_M_PER_S2,
            "gyroscope_full_scale_rad_per_s": motion.GYROSCOPE_FULL_SCALE_RAD_PER_S,
        },
        "users": "invented: each has a voice, a simulated hand and images of their own and lies in "
        "one split; who really wrote the images is unknown, and may be in several splits",
        "built_with": {
            "espeak-ng": program,
            "numpy": np.__version__,
            "scikit-learn": package_version("scikit-learn"),
            "seed": roster.SEED,
        },
    }


if __name__ == "__main__":
    run_build(build, __doc__)
