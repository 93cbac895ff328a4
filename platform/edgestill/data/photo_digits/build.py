"""Build the committed artefact: ``python -m edgestill.data.photo_digits.build --out FILE``.

The artefact is a zip (LZMA) of a manifest folder without the pictures, which are rendered from
:mod:`edgestill.data.composites`; of them it has the SHA-256. Beside FILE its own is written.
"""

from pathlib import Path
from typing import Any

import numpy as np

from edgestill.data.arrays import npy_bytes
from edgestill.data.building import (
    checksum_line,
    modality_entries,
    run_build,
    write_artefact,
    yaml_bytes,
)
from edgestill.data.composites import IMAGES, digits, photographs
from edgestill.data.composites.build import INVERTED, PROVENANCE
from edgestill.data.photo_digits import samples


def build(out: Path) -> str:
    """Write the artefact to ``out`` and its SHA-256, which is returned, to ``out``.sha256.

    Raises:
        DataError: the cache cannot be written.
        OSError: ``out`` cannot be written.
    """
    every, source = list(samples.samples()), digits()
    pictures = samples.render(every, source, photographs())
    splits = samples.ranges()
    tree = {
        "name": "photo_digits",
        "classes": 10,
        "modalities": modality_entries({"visual": pictures}, splits["public"]),
        "labels": "labels.npy",
        "splits": splits,
        "provenance": _provenance(),
    }
    labels = source.labels[[sample.image for sample in every]].astype(np.uint8)
    members = {
        "manifest.yaml": yaml_bytes(tree),
        "labels.npy": npy_bytes(labels),
        "visual.sha256": checksum_line(pictures, "visual.npy"),
    }
    return write_artefact(out, members)


def _provenance() -> dict[str, Any]:
    return {
        **PROVENANCE,
        "visual": f"a digit {INVERTED}",
        "images": dict(IMAGES),
        "renderings": dict(samples.RENDERINGS),
        "sides_pixels": list(samples.SIDES_PIXELS),
        "most_degrees": samples.MOST_DEGREES,
    }


if __name__ == "__main__":
    run_build(build, __doc__)
