"""Partial modalities: a share of an input's resolution, by average pooling.

RA-CMKD's "partial audio" and "downsampled visual" (Cherian & Manoov, results table).
"""

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor
from torch.nn import functional


class Compress(Protocol):
    """Makes partial modalities, by pooling or by the stages of :mod:`edgestill.codec.modality`."""

    def __call__(
        self, inputs: Mapping[str, Tensor], shares: Mapping[str, float]
    ) -> dict[str, Tensor]:
        """Keep the kinds named in ``shares``, each at that rate; a rate of 1 changes nothing."""


def reduce_resolution(
    inputs: Mapping[str, Tensor], shares: Mapping[str, float]
) -> dict[str, Tensor]:
    """Keep the kinds named in ``shares``, each pooled by the factor ``round(1 / share)``.

    Visual inputs [B, C, H, W] shrink along H and W, audio [B, C, F, T] and sensor [B, C, T] along
    time only. A share of 1 leaves the input as it is.
    """
    return {
        kind: _pooled(inputs[kind], kind, round(1.0 / share))
        for kind, share in shares.items()
        if kind in inputs
    }


def _pooled(inputs: Tensor, kind: str, factor: int) -> Tensor:
    if factor <= 1:
        return inputs
    if kind == "sensor":
        return functional.avg_pool1d(inputs, factor, ceil_mode=True)
    kernel = factor if kind == "visual" else (1, factor)
    return functional.avg_pool2d(inputs, kernel, ceil_mode=True)
