"""What every stage of modality-specific compression is: a rate in, fewer numbers out, at a cost.

RA-CMKD (Cherian & Manoov, "Modality-Specific Compression") names one group of transforms for each
modality and leaves them open; what stands here are standard forms of what it names.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

VALUE_BYTES = 2
"""A kept number travels as a 16-bit float."""


class Stage(Protocol):
    """Compresses the inputs of one modality kind at a rate in (0, 1]; rate 1 changes nothing."""

    def apply(self, inputs: Tensor, rate: float) -> Tensor:
        """Return what the model sees of inputs [B, *shape]; the shape depends on the rate alone."""

    def kept_bytes(self, shape: tuple[int, ...], rate: float) -> int:
        """Return the bytes of what is kept of one sample, as it would travel."""

    def flops(self, shape: tuple[int, ...], rate: float) -> int:
        """Return the operations that the stage itself takes on one sample."""


@dataclass(frozen=True, slots=True)
class Stages:
    """One stage for each modality kind, called as :func:`edgestill.models.reduce_resolution` is."""

    by_kind: Mapping[str, Stage]

    def __call__(
        self, inputs: Mapping[str, Tensor], shares: Mapping[str, float]
    ) -> dict[str, Tensor]:
        """Keep the kinds named in ``shares``, each compressed by its stage at that rate.

        Raises:
            KeyError: a kind has no stage.
        """
        return {
            kind: inputs[kind] if rate >= 1.0 else self.by_kind[kind].apply(inputs[kind], rate)
            for kind, rate in shares.items()
            if kind in inputs
        }

    def kept_bytes(
        self, shapes: Mapping[str, tuple[int, ...]], shares: Mapping[str, float]
    ) -> dict[str, int]:
        """Return the bytes kept of one sample, by kind."""
        return {k: self.by_kind[k].kept_bytes(shapes[k], rate) for k, rate in shares.items()}

    def flops(
        self, shapes: Mapping[str, tuple[int, ...]], shares: Mapping[str, float]
    ) -> dict[str, int]:
        """Return the operations of the stages on one sample, by kind; none at rate 1."""
        return {
            kind: 0 if rate >= 1.0 else self.by_kind[kind].flops(shapes[kind], rate)
            for kind, rate in shares.items()
        }


def raw_bytes(shape: tuple[int, ...]) -> int:
    """Return the bytes of one uncompressed sample."""
    return VALUE_BYTES * math.prod(shape)


def kept_of(count: int, rate: float) -> int:
    """Return how many of ``count`` things a rate keeps, at least one."""
    return min(count, max(1, round(rate * count)))
