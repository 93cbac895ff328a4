"""What is in a scene, and its picture; all in integers, so that every machine draws the same."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgestill.data.composites import Draws, Place, crop, photographs
from edgestill.data.scene_vqa.backgrounds import SIDE, draw_background
from edgestill.data.scene_vqa.questions import Bits, Unaskable, ask

NAME = "scene_vqa/1"
SCENES = {"public": 6_000, "validation": 800, "private": 1_200, "test": 1_000}
REACH = 7
"""Pixels from the centre of an object to the farthest of its own, along an axis."""

OPACITY = 96
"""Of an object, in 256ths; what is behind it shows through."""

TINTS: Mapping[str, tuple[int, int, int]] = {
    "red": (230, 30, 30),
    "green": (30, 200, 30),
    "blue": (30, 60, 240),
    "yellow": (240, 220, 20),
    "magenta": (230, 30, 220),
    "cyan": (20, 220, 230),
}
"""Red, green and blue of each colour."""

_SQUARE, _CIRCLE = 6, 52
"""Half the side of a square, and the square of a circle's radius: both have 169 pixels."""
_WORDS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A scene with its questions.

    Attributes:
        place: what is behind the objects.
        objects: uint8 [6, 3] of shape, row, column of the centre, in the order of the colours.
        questions, answers: uint8 [20, 11] and [20].
    """

    place: Place
    objects: Bits
    questions: Bits
    answers: Bits


def scenes(counts: Mapping[str, int] = SCENES) -> Iterator[Scene]:
    """Yield the scenes of all splits; all of it follows from a hash of a scene's name."""
    for split, count in counts.items():
        for number in range(count):
            yield _scene(split, f"{NAME}/{split}/{number}")


def ranges() -> dict[str, list[int]]:
    """Return the first scene of each split, and the one behind its last."""
    ends = np.cumsum(list(SCENES.values())).tolist()
    return {
        split: [end - count, end] for (split, count), end in zip(SCENES.items(), ends, strict=True)
    }


def render(wanted: Sequence[Scene]) -> NDArray[np.uint8]:
    """Return scenes as uint8 [n, 3, 96, 96], red, green and blue."""
    sources = photographs()
    out = np.empty((len(wanted), 3, SIDE, SIDE), np.uint8)
    for row, scene in enumerate(wanted):
        pixels = crop(sources[scene.place.photograph], scene.place).astype(np.int32)
        _paint(pixels, scene.objects)
        out[row] = pixels.transpose(2, 0, 1)
    return out


def _scene(split: str, name: str) -> Scene:
    attempt = 0
    while True:
        draws = Draws(f"{name}/{attempt}", words=_WORDS)
        place, objects = draw_background(split, draws), _objects(draws)
        try:
            questions, answers = ask(objects, draws)
        except Unaskable:
            attempt += 1
            continue
        return Scene(place=place, objects=objects, questions=questions, answers=answers)


def _objects(draws: Draws) -> Bits:
    """Return the objects of a scene, uint8 [6, 3]; no two of them touch."""
    placed: list[tuple[int, int]] = []
    while len(placed) < len(TINTS):
        row, column = (draws.integer(REACH, SIDE - 1 - REACH) for _ in range(2))
        if all(max(abs(row - r), abs(column - c)) > 2 * REACH for r, c in placed):
            placed.append((row, column))
    return np.array([(draws.integer(0, 1), *centre) for centre in placed], np.uint8)


def _paint(pixels: NDArray[np.int32], objects: Bits) -> None:
    for (shape, row, column), tint in zip(objects.tolist(), TINTS.values(), strict=True):
        area = pixels[row - REACH : row + REACH + 1, column - REACH : column + REACH + 1]
        blended = (area * (256 - OPACITY) + np.array(tint, np.int32) * OPACITY) >> 8
        area[:] = np.where(_MASKS[shape][:, :, None], blended, area)


def _masks() -> NDArray[np.bool_]:
    offsets = np.arange(-REACH, REACH + 1)
    rows, columns = offsets[:, None], offsets[None]
    square = np.maximum(np.abs(rows), np.abs(columns)) <= _SQUARE
    return np.stack([square, rows**2 + columns**2 <= _CIRCLE])


_MASKS = _masks()
