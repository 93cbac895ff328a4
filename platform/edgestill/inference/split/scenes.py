"""The scenes as the models take them."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgestill.data.scene_vqa import ASKED_OF_EACH, SceneVqa, load_scene_vqa
from edgestill.inference.split.answering import AnswerHead
from edgestill.inference.split.fitting import Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """Pictures uint8 [n, 3, 96, 96], standardised when they are asked for."""

    pixels: NDArray[np.uint8]
    scale: float
    offset: float

    def __len__(self) -> int:
        """Return n."""
        return len(self.pixels)

    def __getitem__(self, rows: NDArray[np.int64], /) -> Tensor:
        """Return float32 [B, 3, 96, 96]."""
        return torch.from_numpy(self.pixels[rows]).float() * self.scale + self.offset


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some scenes of a split: pictures, bits of questions, answers, objects."""

    pictures: Pictures
    questions: Tensor
    answers: Tensor
    objects: Tensor

    def asked(self, tokens: Tensor) -> Asked:
        """Return tokens of these scenes with the questions about them."""
        return Asked(tokens_nND=tokens, questions_nQ=self.questions, answers_nQ=self.answers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """Shares of right answers, 0..1: of all questions, about one object, about relations."""

    every: float
    own: float
    relational: float


@lru_cache(maxsize=4)
def part(split: str, count: int) -> Part:
    """Return the first ``count`` scenes of a split."""
    found = _set()
    rows = slice(int(found.scenes.splits[split][0]), int(found.scenes.splits[split][0]) + count)
    visual = found.scenes.modalities["visual"]
    return Part(
        pictures=Pictures(
            pixels=np.array(found.scenes.arrays["visual"][rows]),
            scale=visual.scale,
            offset=visual.offset,
        ),
        questions=torch.from_numpy(found.questions[rows].astype(np.float32)),
        answers=torch.from_numpy(found.answers[rows].astype(np.int64)),
        objects=torch.from_numpy(found.objects[rows].astype(np.int64)),
    )


@torch.no_grad()
def accuracy(head: AnswerHead, asked: Asked) -> Accuracy:
    """Return how often a head answers rightly."""
    head.eval()
    chunks = [slice(start, start + 100) for start in range(0, len(asked.answers_nQ), 100)]
    right = torch.cat(
        [
            head(asked.tokens_nND[rows], asked.questions_nQ[rows]).argmax(-1)
            == asked.answers_nQ[rows]
            for rows in chunks
        ]
    ).double()
    own, relational = right[:, :ASKED_OF_EACH].mean(), right[:, ASKED_OF_EACH:].mean()
    return Accuracy(every=float(right.mean()), own=float(own), relational=float(relational))


@lru_cache(maxsize=1)
def _set() -> SceneVqa:
    return load_scene_vqa()
