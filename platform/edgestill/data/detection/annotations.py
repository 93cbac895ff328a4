"""COCO's ``annotations/instances_*.json``, read and checked, as flat arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, FiniteFloat, ValidationError

from edgestill.errors import DataError

_Pixels = Annotated[int, Field(ge=1, le=2**20)]


class _Image(BaseModel):
    id: int
    file_name: str
    width: _Pixels
    height: _Pixels


class _Annotation(BaseModel):
    image_id: int
    category_id: int
    bbox: tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat]
    iscrowd: Literal[0, 1] = 0


class _Category(BaseModel):
    id: int
    name: str


class _File(BaseModel):
    images: Annotated[list[_Image], Field(min_length=1)]
    annotations: list[_Annotation]
    categories: Annotated[list[_Category], Field(min_length=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Instances:
    """One file's content: N pictures in the order of their ids, and the M objects in them.

    ``sizes`` int64 [N, 2] of width and height as declared; ``owners`` int64 [M], the picture of
    each object, rising; ``boxes`` float64 [M, 4] of left, top, right, bottom, within the picture;
    ``labels`` int64 [M], the place of the category in ``class_names``; ``crowd`` bool [M].
    """

    file_names: tuple[str, ...]
    sizes: NDArray[np.int64]
    owners: NDArray[np.int64]
    boxes: NDArray[np.float64]
    labels: NDArray[np.int64]
    crowd: NDArray[np.bool_]
    class_names: tuple[str, ...]


def read_instances(path: Path) -> Instances:
    """Read a file of instances (Lin et al., "Microsoft COCO", ECCV 2014).

    Classes are the categories in the order of their ids. Boxes are cut at the borders of their
    picture; those of which nothing is left are left out. While it reads, it takes about five times
    the size of the file in memory.

    Raises:
        DataError: it is missing, truncated, no JSON, lacks a key, or contradicts itself.
    """
    content = _parsed(path)
    images = sorted(content.images, key=lambda image: image.id)
    categories = sorted(content.categories, key=lambda category: category.id)
    picture_of = _places(path, "images", [image.id for image in images])
    class_of = _places(path, "categories", [category.id for category in categories])
    _check_references(path, content.annotations, picture_of, class_of)
    found = sorted(content.annotations, key=lambda a: picture_of[a.image_id])
    sizes = np.array([(image.width, image.height) for image in images], np.int64)
    owners = np.array([picture_of[a.image_id] for a in found], np.int64)
    boxes = _within(np.array([a.bbox for a in found], np.float64).reshape(-1, 4), sizes[owners])
    kept = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    return Instances(
        file_names=tuple(_plain(path, image) for image in images),
        sizes=sizes,
        owners=owners[kept],
        boxes=boxes[kept],
        labels=np.array([class_of[a.category_id] for a in found], np.int64)[kept],
        crowd=np.array([a.iscrowd for a in found], np.bool_)[kept],
        class_names=tuple(category.name for category in categories),
    )


def _parsed(path: Path) -> _File:
    try:
        return _File.model_validate_json(path.read_bytes(), strict=True)
    except OSError as error:
        raise DataError(f"{path} (data.path): cannot be read: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        if first["type"] == "json_invalid":
            raise DataError(f"{path} (data.path): truncated or not JSON: {first['msg']}") from error
        key = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise DataError(f"{path} ({key}): {first['msg'].lower()}; expected as in COCO") from error


def _check_references(
    path: Path, annotations: list[_Annotation], images: dict[int, int], categories: dict[int, int]
) -> None:
    for place, a in enumerate(annotations):
        named = (("image_id", a.image_id, images), ("category_id", a.category_id, categories))
        for key, number, known in named:
            if number not in known:
                raise DataError(
                    f"{path} (annotations.{place}.{key}): {number} is not among the {len(known)} "
                    "ids of the file"
                )


def _places(path: Path, key: str, ids: Sequence[int]) -> dict[int, int]:
    places = {number: place for place, number in enumerate(ids)}
    if len(places) != len(ids):
        twice = next(a for a, b in pairwise(ids) if a == b)
        raise DataError(f"{path} ({key}): the id {twice} is given twice; expected each once")
    return places


def _plain(path: Path, image: _Image) -> str:
    name = image.file_name
    if Path(name).name != name:
        raise DataError(
            f"{path} (images, id {image.id}): file_name {name!r} is not the name of a file alone"
        )
    return name


def _within(xywh: NDArray[np.float64], sizes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return left, top, right, bottom of boxes given by left, top, width and height."""
    corners = np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1)
    return np.minimum(np.maximum(corners, 0.0), np.tile(sizes, 2))
