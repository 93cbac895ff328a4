"""From the committed artefact to a :class:`DetectionSet`, its pictures rendered once."""

import numpy as np
import yaml

from edgestill.data.arrays import Source, npy_bytes, open_npy, read_integers
from edgestill.data.bundled import unpacked
from edgestill.data.composites import digits, photographs, rendered
from edgestill.data.detection import DetectionSet, detection_digest
from edgestill.data.digit_scenes.scenes import draw, scenes
from edgestill.data.manifest import MANIFEST


def load_digit_scenes() -> DetectionSet:
    """Open ``digit_scenes``.

    Raises:
        DataError: the artefact is damaged, or the cache cannot be written.
    """
    folder = unpacked("digit_scenes")
    images = open_npy(Source(path=rendered(folder / "images.npy", _images), key="images"))
    offsets, labels = (
        read_integers(Source(path=folder / f"{name}.npy", key=name))
        for name in ("offsets", "labels")
    )
    boxes = open_npy(Source(path=folder / "boxes.npy", key="boxes")).astype(np.float32)
    # The artefact's checksum was verified, so the manifest is as it was built.
    manifest = yaml.safe_load((folder / MANIFEST).read_text(encoding="utf-8"))
    splits = {name: np.arange(*bounds) for name, bounds in manifest["splits"].items()}
    flat = (offsets, boxes, labels, np.zeros(len(boxes), np.bool_))
    return DetectionSet(
        name=manifest["name"],
        images=images,
        offsets=offsets,
        boxes=boxes,
        labels=labels,
        crowd=flat[3],
        class_names=tuple(manifest["class_names"]),
        splits=splits,
        digest=detection_digest(flat, splits, (folder / "images.sha256").read_bytes()),
        provenance=manifest["provenance"],
    )


def _images() -> bytes:
    source, behind = digits(), photographs()
    return npy_bytes(np.stack([draw(scene, source, behind).pixels for scene in scenes()]))
