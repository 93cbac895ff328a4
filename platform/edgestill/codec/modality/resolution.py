"""Fewer pixels, or fewer moments: average pooling.

For images this is all that is done to the input: the rest of RA-CMKD's visual compression,
structured pruning and quantisation, is done to the model (:mod:`edgestill.models`).
"""

import math
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from edgestill.codec.modality.stage import VALUE_BYTES


@dataclass(frozen=True, slots=True)
class Resolution:
    """Average pooling along the last ``axes`` axes, 1 or 2, by the factor round(1 / rate)."""

    axes: int

    def apply(self, inputs: Tensor, rate: float) -> Tensor:
        """Return [B, ..., ceil(T / factor)]; with two axes the last but one shrinks as well."""
        factor = round(1.0 / rate)
        if factor <= 1:
            return inputs
        planes = inputs.reshape(inputs.shape[0], -1, *inputs.shape[-2:])
        kernel = (factor if self.axes > 1 else 1, factor)
        pooled = functional.avg_pool2d(planes, kernel, ceil_mode=True)
        return pooled.reshape(*inputs.shape[:-2], *pooled.shape[-2:])

    def kept_bytes(self, shape: tuple[int, ...], rate: float) -> int:
        """Return the bytes of the smaller sample."""
        factor = round(1.0 / rate)
        pooled = [-(-size // factor) for size in shape[-self.axes :]]
        return VALUE_BYTES * math.prod([*shape[: -self.axes], *pooled])

    def flops(self, shape: tuple[int, ...], rate: float) -> int:
        """Return one addition for each number."""
        return math.prod(shape) if round(1.0 / rate) > 1 else 0
