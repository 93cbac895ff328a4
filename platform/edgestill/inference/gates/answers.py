"""What an edge model answered for a batch, as far as a gate needs it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """One row for each of N inputs.

    Attributes:
        probabilities_NK: of a classification, each row adds up to 1; None for detection.
        scores: of a detection, the confidences in 0..1 of the boxes found in each image, any number
            of them; None for classification.
    """

    probabilities_NK: Floats | None = None  # noqa: N815 - shape letters
    scores: Sequence[Floats] | None = None

    def __len__(self) -> int:
        """Return N."""
        if self.probabilities_NK is not None:
            return len(self.probabilities_NK)
        return len(self.scores or ())


def classified(logits_NK: NDArray[Any], temperature: float = 1.0) -> Answers:  # noqa: N803
    """Return the answers of a classifier's logits, softened by a temperature above 0."""
    scaled = np.asarray(logits_NK, np.float64) / temperature
    weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return Answers(probabilities_NK=weights / weights.sum(axis=1, keepdims=True))


def detected(scores: Sequence[NDArray[Any]]) -> Answers:
    """Return the answers of a detector: the confidences of each image's boxes."""
    return Answers(scores=[np.asarray(row, np.float64).reshape(-1) for row in scores])
