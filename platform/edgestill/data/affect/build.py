"""Build the committed artefact: ``python -m edgestill.data.affect.build --out FILE``.

The artefact is a zip (LZMA) of a manifest folder. With the same versions of espeak-ng and numpy the
bytes are the same. Beside FILE its SHA-256 is written, which loading checks.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from edgestill.data.affect import body, face, roster, style, voice
from edgestill.data.arrays import npy_bytes
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
    users = list(roster.users())
    arrays = record(users)
    members = {"manifest.yaml": _manifest(users, arrays)}
    return write_artefact(out, members | {f"{k}.npy": npy_bytes(v) for k, v in arrays.items()})


def record(users: list[roster.User]) -> dict[str, Array]:
    """Return the folder's arrays, one row per sample, user by user in the order of their samples.

    Raises:
        InputError: espeak-ng is not installed.
    """
    program = find_program()
    rows = [(user, label) for user in users for label in roster.emotions_of(user)]
    inputs: dict[str, list[Array]] = {kind: [] for kind in style.COMMON}
    for sample, (user, label) in enumerate(track(rows, "acting")):
        moment = style.moment_of(style.style_of(user), label, sample)
        inputs["visual"].append(face.picture(face.looks_of(user), moment["visual"], sample))
        inputs["audio"].append(voice.spectrogram(program, user, moment["audio"], sample))
        inputs["sensor"].append(body.signals(body.rest_of(user), moment["sensor"], sample))
    return {
        **{kind: np.stack(values) for kind, values in inputs.items()},
        "labels": np.array([label for _, label in rows], np.uint8),
        "users": np.array([user.index for user, _ in rows], np.int16),
    }


def _manifest(users: list[roster.User], arrays: Mapping[str, Array]) -> bytes:
    splits = _splits()
    inputs = {kind: arrays[kind] for kind in style.COMMON}
    modalities = modality_entries(inputs, splits["public"])
    tree = {
        "name": "affect",
        "classes": len(roster.EMOTIONS),
        "modalities": [{**entry, "synthetic": True} for entry in modalities],
        "labels": "labels.npy",
        "users": "users.npy",
        "splits": splits,
        "provenance": _provenance(users),
    }
    return yaml_bytes(tree)


def _splits() -> dict[str, list[int]]:
    splits, start = {}, 0
    for split, count in roster.USERS.items():
        stop = start + count * roster.PASSES * len(roster.EMOTIONS)
        splits[split], start = [start, stop], stop
    return splits


def _provenance(users: list[roster.User]) -> dict[str, Any]:
    program = version(find_program())
    return {
        "classes": list(roster.EMOTIONS),
        "visual": {"source": "SYNTHETIC: faces drawn by the build script; no photograph is in it"},
        "audio": {
            "source": f"SYNTHETIC: spoken by espeak-ng {program}, which was told pitch, speed and "
            "range by the style; no person speaks",
            "licence": "espeak-ng is GPL-3.0-or-later; the licence does not cover what it speaks",
            "voices": sorted({user.voice for user in users}),
        },
        "sensor": {
            "source": "SYNTHETIC: computed; nobody wore a sensor",
            "sampling_rate_hz": body.RATE_HZ,
            "channels": list(body.CHANNELS),
            "centre": body.CENTRE.tolist(),
            "full_scale": body.FULL_SCALE.tolist(),
        },
        "users": "SYNTHETIC: invented; each is in one split. User i of a split is of group i "
        "modulo 6. The members of a group express emotions alike and have rooms, accents and "
        "bodies at rest alike; each has a style of their own on top",
        "personal": "a user's 48 samples are in the order in which they were made, eight passes "
        "through the six emotions; the last quarter of a private user's is for personal tests",
        "group_spread": style.GROUP_SPREAD,
        "own_spread": style.OWN_SPREAD,
        "built_with": {"espeak-ng": program, "numpy": np.__version__, "seed": roster.SEED},
    }


if __name__ == "__main__":
    run_build(build, __doc__)
