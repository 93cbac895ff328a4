"""What joint inference needs of a task: how outputs are learned, judged, told and doubted."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from torch import Tensor

from edgestill.inference.answer import Answer, Tier
from edgestill.inference.gates import Answers
from edgestill.inference.gates.answers import Floats

Targets = TypeVar("Targets", contravariant=True)


class Task(Protocol[Targets]):
    """Classification or detection; outputs are one tensor [B, ...] of a network's ``answer``."""

    def loss(self, outputs: Tensor, targets: Targets) -> Tensor:
        """Return the scalar task loss, mean over B."""
        ...

    def distillation(self, outputs: Tensor, teacher: Tensor) -> Tensor:
        """Return the scalar distance to a teacher's outputs, mean over B."""
        ...

    def answers(self, outputs: Tensor) -> Answers:
        """Return what a gate sees of each output."""
        ...

    def told(self, outputs: Tensor, by: Tier) -> Sequence[Answer]:
        """Return each output as an answer of a tier."""
        ...

    def weights(self, targets: Targets) -> Floats | None:
        """Return [B], how much inputs count for :meth:`score`, 1 in the mean; None if alike."""
        ...

    def right(self, outputs: Tensor, targets: Targets) -> Floats:
        """Return [B], how right each output is, 0..1, for gates and choices of ways."""
        ...

    def score(self, outputs: Tensor, targets: Targets) -> float:
        """Return the figure of merit over all B: accuracy or mean average precision, 0..1."""
        ...
