"""The questions about a scene and their answers, as in Sort-of-CLEVR.

Santoro et al., "A simple neural network module for relational reasoning", NeurIPS 2017. A question
is a vector of 11 bits: colour of the object it asks about (6), one object or relation (2), which of
three questions (3). A question that hangs on a few pixels is not asked.
"""

import numpy as np
from numpy.typing import NDArray

from edgestill.data.composites import Draws
from edgestill.data.scene_vqa.backgrounds import SIDE

COLOURS = ("red", "green", "blue", "yellow", "magenta", "cyan")
SHAPES = ("square", "circle")
ANSWERS = ("yes", "no", *SHAPES, *(str(count) for count in range(1, len(COLOURS) + 1)))
NON_RELATIONAL = ("shape", "is it on the left?", "is it at the top?")
RELATIONAL = ("shape of the closest", "shape of the furthest", "how many of its shape?")
QUESTION_WIDTH = len(COLOURS) + 2 + 3
ASKED_OF_EACH = 10
"""How many questions of each of the two types a scene has."""

MARGIN_PIXELS = 4
"""A question is not asked if a difference smaller than this decides it."""

Bits = NDArray[np.uint8]


class Unaskable(Exception):  # noqa: N818 - no error: another scene is drawn
    """Fewer questions than are wanted can be asked of a scene."""


def ask(objects: Bits, draws: Draws) -> tuple[Bits, Bits]:
    """Return the questions [20, 11] of a scene, those about one object first, and answers [20].

    Args:
        objects: uint8 [6, 3] of shape, row, column of the centre, in the order of the colours.
        draws: choose among the questions that can be asked; they take up to 34 words.

    Raises:
        Unaskable: fewer than ten of a type can be asked of the scene.
    """
    questions, answers = [], []
    for relational in (False, True):
        possible = _possible(objects, relational=relational)
        if len(possible) < ASKED_OF_EACH:
            raise Unaskable
        for place in draws.permutation(len(possible))[:ASKED_OF_EACH]:
            colour, which, answer = possible[place]
            questions.append(vector(colour, which, relational=relational))
            answers.append(answer)
    return np.stack(questions), np.array(answers, np.uint8)


def vector(colour: int, which: int, *, relational: bool) -> Bits:
    """Return a question as 11 bits."""
    bits = np.zeros(QUESTION_WIDTH, np.uint8)
    bits[[colour, len(COLOURS) + relational, len(COLOURS) + 2 + which]] = 1
    return bits


def _possible(objects: Bits, *, relational: bool) -> list[tuple[int, int, int]]:
    """Return colour, question and answer of all that can be asked."""
    answer = _relation if relational else _own
    found = []
    for colour in range(len(COLOURS)):
        for which in range(3):
            said = answer(objects.astype(np.int64), colour, which)
            if said is not None:
                found.append((colour, which, said))
    return found


def _own(objects: NDArray[np.int64], colour: int, which: int) -> int | None:
    shape, row, column = objects[colour].tolist()
    if which == 0:
        return _shape(shape)
    # Twice the distance to the middle, which lies between two pixels.
    beyond = 2 * (column if which == 1 else row) - (SIDE - 1)
    return None if abs(beyond) < 2 * MARGIN_PIXELS else ANSWERS.index("yes" if beyond < 0 else "no")


def _relation(objects: NDArray[np.int64], colour: int, which: int) -> int | None:
    shapes = objects[:, 0]
    if which == 2:
        return ANSWERS.index(str(int((shapes == shapes[colour]).sum())))
    others = np.delete(np.arange(len(COLOURS)), colour)
    distances = np.hypot(*(objects[others, 1:] - objects[colour, 1:]).T)
    best = distances.min() if which == 0 else distances.max()
    candidates = shapes[others][np.abs(distances - best) < MARGIN_PIXELS]
    return _shape(int(candidates[0])) if len(set(candidates.tolist())) == 1 else None


def _shape(number: int) -> int:
    return ANSWERS.index(SHAPES[number])
