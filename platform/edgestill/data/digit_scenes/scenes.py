"""Which digits lie where over which crop, and the boxes around them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgestill.data.composites import (
    CENTRE_STEPS,
    Digits,
    Draws,
    Place,
    Pose,
    blend,
    coverage,
    crop,
    dealt,
    draw_ink,
    draw_place,
)

NAME = "digit_scenes/1"
SIDE = 96
SCENES = {"public": 2_000, "validation": 1_600, "private": 500, "test": 600}
MOST_DIGITS = 5
SIDES_PIXELS = (14, 40)
MOST_DEGREES = 15
LEAST_INKED = 128
"""Of 255: a pixel that is inked less is not part of the digit, and may lie out of its box."""

_WINDOW = 56
"""Pixels along the side of the square in which a digit is drawn; the largest fits at any angle."""
_TRIES = 12
"""Of finding room for a digit; each takes nine words, a scene's place and count five."""
_WORDS = 5 + 9 * _TRIES * MOST_DIGITS


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """A digit of a scene: the number of its image, the centre of its grid, how it lies there."""

    image: int
    row: int
    column: int
    pose: Pose


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A crop and the digits over it, from none to five."""

    split: str
    place: Place
    things: tuple[Thing, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A scene's pixels, uint8 [3, 96, 96], boxes uint8 [n, 4] of left, top, right, bottom."""

    pixels: NDArray[np.uint8]
    boxes: NDArray[np.uint8]


def scenes() -> Iterator[Scene]:
    """Yield all scenes in split order."""
    for split, count in SCENES.items():
        for number in range(count):
            draws = Draws(f"{NAME}/{split}/{number}", words=_WORDS)
            place = draw_place(split, SIDE, draws)
            yield Scene(split=split, place=place, things=_things(split, draws))


def ranges() -> dict[str, list[int]]:
    """Return the first scene of each split, and the one behind its last."""
    found, start = {}, 0
    for split, count in SCENES.items():
        found[split] = [start, start + count]
        start += count
    return found


def draw(scene: Scene, digits: Digits, photographs: Mapping[str, NDArray[np.uint8]]) -> Drawn:
    """Return a scene's pixels and the boxes around its digits, in the order of its things."""
    pixels = crop(photographs[scene.place.photograph], scene.place).copy()
    boxes = np.empty((len(scene.things), 4), np.uint8)
    for box, (thing, inked) in zip(boxes, inked_of(scene, digits), strict=True):
        rows, columns = (np.flatnonzero((inked >= LEAST_INKED).any(axis=a)) for a in (1, 0))
        box[:] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
        pixels = blend(pixels, inked, thing.pose.ink)
    return Drawn(pixels=np.ascontiguousarray(pixels.transpose(2, 0, 1)), boxes=boxes)


def inked_of(scene: Scene, digits: Digits) -> Iterator[tuple[Thing, NDArray[np.uint8]]]:
    """Yield each of a scene's things and how much of each pixel it inks, uint8 [96, 96]."""
    images = digits.images[[thing.image for thing in scene.things]]
    windows = coverage(images, [thing.pose for thing in scene.things], (_WINDOW, _WINDOW))
    half = _WINDOW // 2
    for thing, window in zip(scene.things, windows, strict=True):
        # What of the window is out of the scene holds no ink.
        around = np.zeros((SIDE + 2 * half, SIDE + 2 * half), np.uint8)
        around[thing.row : thing.row + _WINDOW, thing.column : thing.column + _WINDOW] = window
        yield thing, around[half : half + SIDE, half : half + SIDE]


def _things(split: str, draws: Draws) -> tuple[Thing, ...]:
    """Return digits whose grids do not overlap; one that finds no room is left out."""
    images, found = dealt()[split], list[Thing]()
    for _ in range(draws.integer(0, MOST_DIGITS)):
        for _ in range(_TRIES):
            thing = _thing(images[draws.integer(0, len(images) - 1)], draws)
            if all(_apart(thing, other) for other in found):
                found.append(thing)
                break
    return tuple(found)


def _thing(image: int, draws: Draws) -> Thing:
    side = draws.integer(*SIDES_PIXELS)
    reach = (side + 1) // 2
    row, column = (draws.integer(reach, SIDE - reach) for _ in range(2))
    middle = _WINDOW * CENTRE_STEPS // 2
    pose = Pose(
        row=middle,
        column=middle,
        side_pixels=side,
        angle_degrees=draws.integer(-MOST_DEGREES, MOST_DEGREES),
        ink=draw_ink(draws),
    )
    return Thing(image=image, row=row, column=column, pose=pose)


def _apart(one: Thing, other: Thing) -> bool:
    between = 2 * max(abs(one.row - other.row), abs(one.column - other.column))
    return between >= one.pose.side_pixels + other.pose.side_pixels
