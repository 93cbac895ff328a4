"""Build the committed artefact: ``python -m edgestill.data.photo_digits.build --out FILE``.

The artefact is a zip (LZMA) of a manifest folder without the pictures, which are rendered from
:mod:`edgestill.data.composites`; of them it has the SHA-256. Beside FILE its own is written.
"""

import argparse
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from edgestill.data.arrays import npy_bytes
from edgestill.data.building import modality_entries, write_artefact
from edgestill.data.composites import IMAGES, digits, photographs
from edgestill.data.composites.build import PROVENANCE
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
    public = (splits["public"][0], splits["public"][1])
    tree = {
        "name": "photo_digits",
        "classes": 10,
        "modalities": modality_entries({"visual": pictures}, public),
        "labels": "labels.npy",
        "splits": splits,
        "provenance": _provenance(),
    }
    checksum = hashlib.sha256(npy_bytes(pictures)).hexdigest()
    labels = source.labels[[sample.image for sample in every]].astype(np.uint8)
    members = {
        "manifest.yaml": yaml.safe_dump(tree, sort_keys=False).encode(),
        "labels.npy": npy_bytes(labels),
        "visual.sha256": f"{checksum}  visual.npy\n".encode(),
    }
    return write_artefact(out, members)


def _provenance() -> dict[str, Any]:
    return {
        **PROVENANCE,
        "visual": "a digit inverts the crop of a photograph behind it (MNIST-M, Ganin & Lempitsky, "
        "ICML 2015), in a colour of its own; size, place, angle, colour and crop are drawn",
        "images": dict(IMAGES),
        "renderings": dict(samples.RENDERINGS),
        "sides_pixels": list(samples.SIDES_PIXELS),
        "most_degrees": samples.MOST_DEGREES,
    }


def main() -> None:
    """Read the arguments and build."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="the zip to write")
    out: Path = parser.parse_args().out
    print(f"{build(out)}  {out}  {out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
