"""Build the committed artefact: ``python -m edgestill.data.digit_scenes.build --out FILE``.

The artefact is a zip (LZMA) of a manifest, boxes and labels. The pictures, which are rendered from
:mod:`edgestill.data.composites`, are not in it, but their SHA-256 is. Beside FILE its own is
written.
"""

from pathlib import Path
from typing import Any

import numpy as np

from edgestill.data.arrays import npy_bytes
from edgestill.data.building import checksum_line, run_build, write_artefact, yaml_bytes
from edgestill.data.composites import IMAGES, digits, photographs
from edgestill.data.composites.build import INVERTED, PROVENANCE
from edgestill.data.digit_scenes import scenes


def build(out: Path) -> str:
    """Write the artefact to ``out`` and its SHA-256, which is returned, to ``out``.sha256.

    Raises:
        DataError: the cache cannot be written.
        OSError: ``out`` cannot be written.
    """
    source, behind, every = digits(), photographs(), list(scenes.scenes())
    drawn = [scenes.draw(scene, source, behind) for scene in every]
    counts = [len(scene.things) for scene in every]
    shown = [thing.image for scene in every for thing in scene.things]
    pictures = np.stack([d.pixels for d in drawn])
    members = {
        "manifest.yaml": _manifest(),
        "offsets.npy": npy_bytes(np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)),
        "boxes.npy": npy_bytes(np.concatenate([d.boxes for d in drawn])),
        "labels.npy": npy_bytes(source.labels[shown].astype(np.uint8)),
        "images.sha256": checksum_line(pictures, "images.npy"),
    }
    return write_artefact(out, members)


def _manifest() -> bytes:
    tree = {
        "name": "digit_scenes",
        "class_names": [str(digit) for digit in range(10)],
        "splits": scenes.ranges(),
        "provenance": _provenance(),
    }
    return yaml_bytes(tree)


def _provenance() -> dict[str, Any]:
    return {
        **PROVENANCE,
        "images": f"each digit {INVERTED}; the grids of two digits do not overlap",
        "boxes": f"tight around what is inked at least {scenes.LEAST_INKED} of 255",
        "digit_images": dict(IMAGES),
        "sides_pixels": list(scenes.SIDES_PIXELS),
        "most_degrees": scenes.MOST_DEGREES,
        "most_digits": scenes.MOST_DIGITS,
    }


if __name__ == "__main__":
    run_build(build, __doc__)
