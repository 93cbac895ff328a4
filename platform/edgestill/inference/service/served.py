"""What a service needs of the model that it serves."""

from collections.abc import Sequence
from typing import Any, Protocol

from edgestill.inference.answer import Answer


class Served(Protocol):
    """The half of a split model that answers for others."""

    @property
    def fingerprint(self) -> int:
        """Unsigned 32-bit name of all that both halves must share."""
        ...

    @property
    def doubt(self) -> float:
        """1 minus an answer's confidence, above which a fog asks the cloud, 0..1."""
        ...

    def describe(self) -> dict[str, Any]:
        """Return plain values for people: what it answers, what it takes, at which rates."""
        ...

    def read(self, frame: bytes) -> Any:
        """Return the content of a frame, checked.

        Raises:
            FrameError: not a whole frame for this model.
        """
        ...

    def answer(self, contents: Sequence[Any]) -> Sequence[Answer]:
        """Return the answers to a batch of contents that :meth:`read` gave, in their order."""
        ...
