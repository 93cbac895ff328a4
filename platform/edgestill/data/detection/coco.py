"""COCO as it was published: annotations and folders of pictures, from the folder they lie in.

Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014. Expected are
``annotations/instances_trainYEAR.json`` and ``annotations/instances_valYEAR.json``, and the
pictures in ``trainYEAR/`` and ``valYEAR/``, or in ``images/trainYEAR/`` and ``images/valYEAR/``.

The published test pictures have no boxes, so ``val`` is ``test`` here; ``train`` is cut into
validation, public and private as in :mod:`edgestill.data.layouts`.
"""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgestill.data.detection.annotations import Instances, read_instances
from edgestill.data.detection.dataset import DetectionSet, detection_digest
from edgestill.data.detection.letterbox import Letterboxed, fitted
from edgestill.data.layouts import published_splits
from edgestill.errors import DataError


def load_coco(folder: Path, *, side_pixels: int) -> DetectionSet:
    """Open COCO; pictures are opened, and scaled into squares, when they are first asked for.

    Boxes lie where their objects lie in the squares. Crowds are kept, and marked.

    Args:
        folder: as said at the top of this module.
        side_pixels: of the squares.

    Raises:
        DataError: a file or picture is missing, the annotations are damaged, or the two parts
            differ in their categories.
    """
    train_file, test_file = (_annotations(folder, part) for part in ("train", "val"))
    train, test = read_instances(train_file), read_instances(test_file)
    if train.class_names != test.class_names:
        raise DataError(f"{test_file} (categories): not those of {train_file.name}")
    halves = ((train_file, train), (test_file, test))
    paths = [p for file, half in halves for p in _pictures(folder, file, half.file_names)]
    sizes = np.concatenate([train.sizes, test.sizes])
    owners = np.concatenate([train.owners, test.owners + len(train.sizes)])
    boxes = np.concatenate([train.boxes, test.boxes])
    splits = published_splits(train_file, len(train.sizes), len(test.sizes))
    flat = (
        np.searchsorted(owners, np.arange(len(paths) + 1)).astype(np.int64),
        _in_squares(boxes, sizes[owners], side_pixels),
        np.concatenate([train.labels, test.labels]),
        np.concatenate([train.crowd, test.crowd]),
    )
    names = "/".join([str(side_pixels), *(path.name for path in paths)])
    return DetectionSet(
        name="COCO",
        images=Letterboxed(paths=tuple(paths), sizes=sizes, side_pixels=side_pixels),
        offsets=flat[0],
        boxes=flat[1],
        labels=flat[2],
        crowd=flat[3],
        class_names=train.class_names,
        splits=splits,
        digest=detection_digest(flat, splits, names.encode()),
        provenance={"source": "COCO, Lin et al., ECCV 2014", "annotations": _names(halves)},
    )


def _names(halves: tuple[tuple[Path, Instances], ...]) -> list[str]:
    return [file.name for file, _ in halves]


def _annotations(folder: Path, part: str) -> Path:
    found = sorted(folder.glob(f"annotations/instances_{part}*.json"))
    if len(found) != 1:
        raise DataError(
            f"{folder} (data.path): {len(found)} files annotations/instances_{part}*.json; "
            "expected one, as in COCO's annotations_trainval2017.zip"
        )
    return found[0]


def _pictures(folder: Path, file: Path, names: tuple[str, ...]) -> list[Path]:
    """Return where the pictures lie, all of which are there.

    Raises:
        DataError: the folder or one of the pictures is missing.
    """
    subset = file.stem.removeprefix("instances_")
    home = folder / subset if (folder / subset).is_dir() else folder / "images" / subset
    try:
        with os.scandir(home) as entries:
            present = {entry.name for entry in entries}
    except OSError as error:
        raise DataError(
            f"{folder / subset} (data.path): no such folder, nor images/{subset}; expected the "
            f"pictures of {file.name}"
        ) from error
    for name in names:
        if name not in present:
            raise DataError(f"{home / name} (data.path): no such picture; {file.name} names it")
    return [home / name for name in names]


def _in_squares(
    boxes: NDArray[np.float64], sizes: NDArray[np.int64], side: int
) -> NDArray[np.float32]:
    """Return boxes in the pixels of the squares, float32 [M, 4]; ``sizes`` [M, 2] of pictures."""
    places = np.array([fitted(w, h, side) for w, h in sizes.tolist()], np.float64).reshape(-1, 2, 2)
    moved = boxes.reshape(-1, 2, 2) * (places[:, 1] / sizes)[:, None] + places[:, 0][:, None]
    return np.asarray(moved.reshape(-1, 4), np.float32)
