"""Build the committed artefact: ``python -m edgestill.data.composites.build --out FILE``.

The artefact is a zip (LZMA) of the photographs (lossless WebP) and the digits that scikit-learn
ships. Beside FILE its SHA-256 is written, which loading checks.
"""

import io
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits, load_sample_image

from edgestill.data.arrays import npy_bytes
from edgestill.data.building import run_build, write_artefact, yaml_bytes
from edgestill.data.composites.pictures import PHOTOGRAPHS

PROVENANCE = {
    "photographs": {
        "source": "china.jpg and flower.jpg as in scikit-learn, decoded once; real",
        "licence": "CC BY 2.0: china by danielbuechele, flower by vultilion, both on Flickr",
    },
    "digits": {
        "source": "Optical Recognition of Handwritten Digits, UCI, as in scikit-learn; real",
        "licence": "CC BY 4.0 (Alpaydin & Kaynak, 1998)",
    },
}

INVERTED = (
    "inverts the crop of a photograph behind it (MNIST-M, Ganin & Lempitsky, ICML 2015), in a "
    "colour of its own; size, place, angle, colour and crop are drawn"
)
"""What a digit does that is put on a photograph."""


def build(out: Path) -> str:
    """Write the artefact to ``out`` and its SHA-256, which is returned, to ``out``.sha256.

    Raises:
        OSError: ``out`` cannot be written.
    """
    source = load_digits()
    built_with = {name: version(name) for name in ("numpy", "pillow", "scikit-learn")}
    provenance = {**PROVENANCE, "built_with": built_with}
    members = {"provenance.yaml": yaml_bytes(provenance)}
    members |= {f"{name}.webp": _lossless(load_sample_image(f"{name}.jpg")) for name in PHOTOGRAPHS}
    members["digits.npy"] = npy_bytes(np.asarray(source.images, np.uint8))
    members["labels.npy"] = npy_bytes(np.asarray(source.target, np.uint8))
    return write_artefact(out, members)


def _lossless(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", lossless=True, quality=100, method=6)
    return buffer.getvalue()


if __name__ == "__main__":
    run_build(build, __doc__)
