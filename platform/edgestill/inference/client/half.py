"""What a device's client needs of its model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from edgestill.inference.answer import Answer
from edgestill.inference.gates import Answers

Inputs = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """What a device makes of an input by itself.

    Attributes:
        answer: its own.
        answers: the same as a gate sees it, one row.
        features: what :meth:`EdgeHalf.encode` takes.
    """

    answer: Answer
    answers: Answers
    features: Any


class EdgeHalf(Protocol):
    """The half of a split model that runs on the device."""

    @property
    def bytes_by_rate(self) -> Sequence[int]:
        """Expected bytes of a frame at each rate, ascending; the last may be the whole input."""
        ...

    def look(self, inputs: Inputs) -> Glance:
        """Return what the device makes of one input, arrays by kind.

        Raises:
            InputError: an input of the wrong kind, shape or type.
        """
        ...

    def encode(self, features: Any, rate: int) -> bytes:
        """Return the frame of an input's features at a rate."""
        ...
