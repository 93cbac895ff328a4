"""The set opened: pictures rendered once into the cache, questions and answers beside them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgestill.data.arrays import Source, npy_bytes, open_npy
from edgestill.data.bundled import unpacked
from edgestill.data.composites import rendered
from edgestill.data.dataset import Dataset
from edgestill.data.folder import load_folder
from edgestill.data.scene_vqa.questions import ANSWERS, ASKED_OF_EACH, COLOURS, QUESTION_WIDTH
from edgestill.data.scene_vqa.scenes import render, scenes


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneVqa:
    """Scenes with their questions, memory-mapped.

    Attributes:
        scenes: pictures uint8 [N, 3, 96, 96] and the splits.
        questions: uint8 [N, 20, 11], the ten about one object first.
        answers: uint8 [N, 20], places in ``ANSWERS``.
        objects: uint8 [N, 6, 3] of shape, row, column of the centre, in the order of the colours;
            what is in the scene, for training alone.
    """

    scenes: Dataset
    questions: NDArray[np.uint8]
    answers: NDArray[np.uint8]
    objects: NDArray[np.uint8]


def load_scene_vqa() -> SceneVqa:
    """Open the bundled set; the first time its pictures are rendered, in about ten seconds.

    Raises:
        DataError: the artefact is damaged, or the cache cannot be written.
    """
    folder = scene_vqa_folder()
    dataset = load_folder(folder)
    asked = 2 * ASKED_OF_EACH
    return SceneVqa(
        scenes=dataset,
        questions=_open(folder, "questions", (len(dataset), asked, QUESTION_WIDTH)),
        answers=_open(folder, "answers", (len(dataset), asked), below=len(ANSWERS)),
        objects=_open(folder, "objects", (len(dataset), len(COLOURS), 3)),
    )


def scene_vqa_folder() -> Path:
    """Return the manifest folder of ``scene_vqa``, its pictures rendered.

    Raises:
        DataError: the artefact is damaged, or the cache cannot be written.
    """
    folder = unpacked("scene_vqa")
    rendered(folder / "visual.npy", lambda: npy_bytes(render(list(scenes()))))
    return folder


def _open(folder: Path, name: str, shape: tuple[int, ...], below: int = 256) -> NDArray[np.uint8]:
    source = Source(path=folder / f"{name}.npy", key=name)
    array: NDArray[Any] = open_npy(source)
    if array.dtype != np.uint8 or array.shape != shape or int(array.max()) >= below:
        raise source.fault(f"{array.dtype} of shape {array.shape}; expected uint8 of shape {shape}")
    return array
