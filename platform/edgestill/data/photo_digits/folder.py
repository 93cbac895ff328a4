"""The manifest folder of the set, its pictures rendered once into the cache."""

from pathlib import Path

from edgestill.data.arrays import npy_bytes
from edgestill.data.bundled import unpacked
from edgestill.data.composites import digits, photographs, rendered
from edgestill.data.photo_digits.samples import render, samples


def photo_digits_folder() -> Path:
    """Return the manifest folder of ``photo_digits``, its pictures rendered.

    Raises:
        DataError: the artefact is damaged, or the cache cannot be written.
    """
    folder = unpacked("photo_digits")
    rendered(
        folder / "visual.npy",
        lambda: npy_bytes(render(list(samples()), digits(), photographs())),
    )
    return folder
