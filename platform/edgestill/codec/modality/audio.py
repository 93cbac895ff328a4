"""Spectrograms: sparsity in frequency, and frames that hardly differ taken as one.

Letters: B samples, F mel bands, T frames, K frames kept.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from edgestill.codec.modality.stage import VALUE_BYTES, kept_of, raw_bytes


@dataclass(frozen=True, slots=True)
class SpectralSparsity:
    """Of each spectrogram's two-dimensional cosine transform only the strongest coefficients.

    The model sees the spectrogram rebuilt from them: the shape stays, the bytes fall. DCT-II in
    its orthonormal form (Ahmed, Natarajan & Rao, IEEE Transactions on Computers 1974), so that what
    is dropped is the least energy that so many coefficients can leave out.
    """

    def apply(self, inputs: Tensor, rate: float) -> Tensor:
        """Return [B, 1, F, T] rebuilt from ``rate`` of the coefficients of [B, 1, F, T]."""
        bands, frames = (_cosines(size).to(inputs) for size in inputs.shape[-2:])
        coefficients = bands @ inputs @ frames.T
        kept = kept_of(math.prod(inputs.shape[1:]), rate)
        flat = coefficients.flatten(start_dim=1)
        strongest = flat.abs().topk(kept, dim=1).indices
        sparse = torch.zeros_like(flat).scatter(1, strongest, flat.gather(1, strongest))
        return bands.T @ sparse.view_as(coefficients) @ frames

    def kept_bytes(self, shape: tuple[int, ...], rate: float) -> int:
        """Return the coefficients' bytes and one bit for each place, which says which are kept."""
        places = math.prod(shape)
        if rate >= 1.0:
            return raw_bytes(shape)
        return VALUE_BYTES * kept_of(places, rate) + -(-places // 8)

    def flops(self, shape: tuple[int, ...], rate: float) -> int:
        """Return the operations of the transform and of its inverse, as matrix products."""
        if rate >= 1.0:
            return 0
        return 2 * 2 * math.prod(shape) * (shape[-2] + shape[-1])


@dataclass(frozen=True, slots=True)
class TemporalMerging:
    """Neighbouring frames that hardly differ become one, their mean; K = rate T are left.

    The K - 1 largest steps from frame to frame stay as borders, so a steady sound costs one frame
    and a fast change keeps its detail, where plain pooling would blur it.
    """

    def apply(self, inputs: Tensor, rate: float) -> Tensor:
        """Return [B, 1, F, K] of [B, 1, F, T]."""
        kept = kept_of(inputs.shape[-1], rate)
        if kept == inputs.shape[-1]:
            return inputs
        steps_BT = inputs.diff(dim=-1).square().sum(dim=(1, 2))  # noqa: N806 - shape letters
        borders = torch.zeros_like(steps_BT, dtype=torch.int64)
        borders.scatter_(1, steps_BT.topk(kept - 1, dim=1).indices, 1)
        groups = functional.pad(borders.cumsum(dim=1), (1, 0))
        members_BTK = functional.one_hot(groups, kept).to(inputs)  # noqa: N806
        weights = members_BTK / members_BTK.sum(dim=1, keepdim=True)
        return inputs @ weights.unsqueeze(1)

    def kept_bytes(self, shape: tuple[int, ...], rate: float) -> int:
        """Return the frames' bytes and one bit for each original frame, which says the borders."""
        *others, frames = shape
        kept = kept_of(frames, rate)
        if kept == frames:
            return raw_bytes(shape)
        return VALUE_BYTES * math.prod(others) * kept + -(-frames // 8)

    def flops(self, shape: tuple[int, ...], rate: float) -> int:
        """Return the squared differences and the sums: four operations for each number."""
        return 4 * math.prod(shape) if kept_of(shape[-1], rate) < shape[-1] else 0


@dataclass(frozen=True, slots=True)
class TemporalSpectral:
    """Both: frames merged at the rate, then as sparse in frequency; rate squared of the numbers."""

    temporal: TemporalMerging = TemporalMerging()
    spectral: SpectralSparsity = SpectralSparsity()

    def apply(self, inputs: Tensor, rate: float) -> Tensor:
        """Return [B, 1, F, K] of [B, 1, F, T]."""
        return self.spectral.apply(self.temporal.apply(inputs, rate), rate)

    def kept_bytes(self, shape: tuple[int, ...], rate: float) -> int:
        """Return the coefficients' bytes and the bits that say which frames and coefficients."""
        if rate >= 1.0:
            return raw_bytes(shape)
        return self.spectral.kept_bytes(self._merged(shape, rate), rate) + -(-shape[-1] // 8)

    def flops(self, shape: tuple[int, ...], rate: float) -> int:
        """Return the operations of both."""
        merged = self._merged(shape, rate)
        return self.temporal.flops(shape, rate) + self.spectral.flops(merged, rate)

    @staticmethod
    def _merged(shape: tuple[int, ...], rate: float) -> tuple[int, ...]:
        return (*shape[:-1], kept_of(shape[-1], rate))


@dataclass(frozen=True, slots=True, eq=False)
class StrongestBands:
    """Only the mel bands that vary most over the public part; the others are not even computed.

    Attributes:
        order: [F], the bands by falling variance.
    """

    order: NDArray[np.int64]

    def apply(self, inputs: Tensor, rate: float) -> Tensor:
        """Return [B, 1, rate F, T] of [B, 1, F, T], the bands in their order."""
        return inputs[:, :, torch.from_numpy(np.sort(self.order[: kept_of(len(self.order), rate)]))]

    def kept_bytes(self, shape: tuple[int, ...], rate: float) -> int:
        """Return the bands' bytes; which bands they are is known to both ends."""
        return VALUE_BYTES * kept_of(shape[-2], rate) * shape[-1]

    def flops(self, shape: tuple[int, ...], rate: float) -> int:
        """Return 0: bands are left out, nothing is computed."""
        del shape, rate
        return 0


def fit_bands(public: NDArray[np.float32]) -> StrongestBands:
    """Order the bands of public spectrograms [N, 1, F, T] by variance, ties to the lower band."""
    variance = public.var(axis=(0, 1, 3), dtype=np.float64)
    return StrongestBands(np.argsort(-variance, kind="stable"))


@cache
def _cosines(size: int) -> Tensor:
    """Return the orthonormal DCT-II [size, size], one row for each frequency."""
    places = torch.arange(size, dtype=torch.float64)
    rows = torch.cos(torch.pi / size * (places + 0.5) * places.unsqueeze(1))
    rows *= math.sqrt(2.0 / size)
    rows[0] /= math.sqrt(2.0)
    return rows.to(torch.float32)
