"""The visual modality: a face drawn from expression parameters. No photograph is in it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgestill.data.affect.roster import SEED, User
from edgestill.data.affect.shapes import Canvas, Plane
from edgestill.data.affect.style import Vector
from edgestill.seeds import generator

SIZE = 24
NOISE_STDDEV = 0.04
OCCLUSION_PROBABILITY = 0.2
GREY_LEVELS = 32
_OVERSAMPLING = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """What stays of a user from picture to picture; tones are 0 (black) to 1, the rest lengths."""

    skin: float
    hair: float
    hair_line: float
    head: tuple[float, float]
    eye_distance: float
    eye_size: float
    brow_thickness: float
    mouth_place: float
    glasses: bool
    room: float
    light: tuple[float, float]


def looks_of(user: User) -> Looks:
    """Return the looks of a user; room, light, hair line and head are like their group's."""
    shared = generator(SEED, "looks/group", device=user.group)
    rng = generator(SEED, "looks/own", device=user.index)
    # Evenly around, so that no two groups sit in the same light.
    angle = 2 * np.pi * user.group / 6 + rng.normal(0, 0.2)
    return Looks(
        skin=rng.uniform(0.5, 0.85),
        hair=rng.uniform(0.0, 0.35),
        hair_line=shared.uniform(0.3, 0.75) + rng.normal(0, 0.04),
        head=(shared.uniform(0.58, 0.72) + rng.normal(0, 0.02), 0.85 + rng.normal(0, 0.03)),
        eye_distance=rng.uniform(0.24, 0.32),
        eye_size=rng.uniform(0.12, 0.16),
        brow_thickness=rng.uniform(0.035, 0.06),
        mouth_place=rng.uniform(0.4, 0.48),
        glasses=bool(rng.random() < 0.25),
        room=shared.uniform(0.1, 0.9) + rng.normal(0, 0.05),
        light=(0.2 * np.cos(angle), 0.2 * np.sin(angle)),
    )


def picture(looks: Looks, expression: Vector, sample: int) -> NDArray[np.uint8]:
    """Return one picture [1, 24, 24]: pose, light, occlusion and noise are the sample's own."""
    rng = generator(SEED, "picture", device=sample)
    canvas = Canvas(
        SIZE * _OVERSAMPLING,
        looks.room,
        shift=(rng.normal(0, 0.04), rng.normal(0, 0.04)),
        turn_rad=rng.normal(0, 0.07),
        zoom=rng.uniform(0.93, 1.05),
    )
    _head(canvas, looks)
    _eyes(canvas, looks, expression)
    _nose_and_mouth(canvas, looks, expression)
    if rng.random() < OCCLUSION_PROBABILITY:
        _occlude(canvas, rng)
    slope = np.array(looks.light) + rng.normal(0, 0.05, 2)
    axis = np.linspace(-1, 1, SIZE)
    grey = _shrunk(canvas.grey) + slope[0] * axis[None, :] + slope[1] * axis[:, None]
    grey = grey * rng.uniform(0.85, 1.1) + rng.normal(0, NOISE_STDDEV, grey.shape)
    step = 256 // GREY_LEVELS
    codes = np.clip(np.floor(grey * GREY_LEVELS), 0, GREY_LEVELS - 1) * step + step // 2
    return np.asarray(codes[None], np.uint8)


def _head(canvas: Canvas, looks: Looks) -> None:
    width, height = looks.head
    canvas.ellipse((0, -0.08), (width + 0.08, height + 0.06), looks.hair)
    canvas.ellipse((0, 0.05), (width, height), looks.skin)
    canvas.box(-width, -1.0, width, -looks.hair_line, looks.hair)


def _eyes(canvas: Canvas, looks: Looks, expression: Vector) -> None:
    inner, outer, opening = expression[:3]
    height = looks.eye_size * np.clip(0.6 + 0.4 * opening, 0.1, 1.2)
    for side in (-1, 1):
        centre = (side * looks.eye_distance, -0.12)
        canvas.ellipse(centre, (looks.eye_size, height), 0.97)
        pupil = 0.45 * looks.eye_size
        canvas.ellipse(centre, (pupil, min(pupil * 1.2, height)), 0.05)
        if looks.glasses:
            for lid in (-1, 1):
                canvas.arch(centre, 0.2, -lid * 0.36, 0.02, 0.15)
        ends = (
            (side * (looks.eye_distance - 0.15), -0.34 - 0.12 * inner),
            (side * (looks.eye_distance + 0.17), -0.36 - 0.10 * outer),
        )
        canvas.segment(*ends, looks.brow_thickness, 0.6 * looks.hair)


def _nose_and_mouth(canvas: Canvas, looks: Looks, expression: Vector) -> None:
    curve, width, opening, wrinkle = expression[3:]
    canvas.segment((0, -0.05), (0, 0.2 - 0.06 * wrinkle), 0.035, 0.8 * looks.skin)
    for side in (-1, 1):
        depth = looks.skin * (1 - 0.5 * np.clip(wrinkle, 0, 1.5))
        canvas.segment((side * 0.1, 0.02), (side * 0.2, 0.22), 0.025, depth)
    length = max(0.08, 0.26 + 0.09 * width)
    place = np.clip((canvas.x / length) ** 2, 0, 1)
    thickness: Plane = 0.03 + max(0.0, 0.05 + 0.1 * opening) * (1 - place)
    canvas.arch((0, looks.mouth_place), length, 0.17 * curve, thickness, 0.15 * looks.skin)


def _occlude(canvas: Canvas, rng: np.random.Generator) -> None:
    """Put something, a hand or a scarf, before a part of the face."""
    left, top = rng.uniform(-0.8, 0.2), rng.uniform(-0.7, 0.4)
    width, height = rng.uniform(0.3, 0.8), rng.uniform(0.2, 0.45)
    canvas.box(left, top, left + width, top + height, rng.uniform(0.1, 0.9))


def _shrunk(grey: Plane) -> Plane:
    """Average squares of ``_OVERSAMPLING`` pixels."""
    return np.asarray(
        grey.reshape(SIZE, _OVERSAMPLING, SIZE, _OVERSAMPLING).mean(axis=(1, 3)), np.float64
    )
