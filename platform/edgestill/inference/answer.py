"""An answer of joint inference as plain values, the same from device, fog and cloud."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

from edgestill.errors import FrameError

Tier = Literal["edge", "fog", "cloud"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one tier answered to one input: a class, or the objects that it found.

    Attributes:
        by: who answered.
        label: the likeliest class, 0..K-1; None for a detection.
        confidence: its probability, 0..1; of a detection the mean of its boxes', 0 without any.
        boxes: of a detection (left, top, right, bottom, class, confidence), in pixels.
    """

    by: Tier
    label: int | None = None
    confidence: float = 0.0
    boxes: tuple[tuple[float, ...], ...] = ()

    def plain(self) -> dict[str, Any]:
        """Return the answer as values that JSON has."""
        return {
            "by": self.by,
            "label": self.label,
            "confidence": self.confidence,
            "boxes": [list(box) for box in self.boxes],
        }

    @classmethod
    def of(cls, values: Any) -> Self:
        """Return the answer that :meth:`plain` wrote.

        Raises:
            FrameError: ``values`` are not such values.
        """
        try:
            label = values["label"]
            answer = cls(
                by=values["by"],
                label=None if label is None else int(label),
                confidence=float(values["confidence"]),
                boxes=_boxes(values["boxes"]),
            )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise FrameError(f"answer: {type(error).__name__}: {error}") from error
        if answer.by not in ("edge", "fog", "cloud") or not 0.0 <= answer.confidence <= 1.0:
            raise FrameError(f"answer: by {answer.by!r} with confidence {answer.confidence}")
        return answer


def _boxes(rows: Sequence[Sequence[float]]) -> tuple[tuple[float, ...], ...]:
    boxes = tuple(tuple(float(value) for value in row) for row in rows)
    if any(len(box) != 6 for box in boxes):
        raise ValueError("a box has six values")
    return boxes
