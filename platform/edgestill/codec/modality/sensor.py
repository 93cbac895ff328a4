"""Sensor traces: statistics of windows, and fewer dimensions.

Letters: B samples, C channels, T time, N windows, F = C T features, K components.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from edgestill.codec.modality.stage import VALUE_BYTES, kept_of, raw_bytes

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class WindowStatistics:
    """Each channel as the means, then the standard deviations, of N = rate T / 2 windows.

    Both lie along time, so that a model that takes any length takes them without another layer.
    """

    def apply(self, inputs: Tensor, rate: float) -> Tensor:
        """Return [B, C, 2 N] of [B, C, T]."""
        if rate >= 1.0:
            return inputs
        windows = _windows(inputs.shape[-1], rate)
        means = functional.adaptive_avg_pool1d(inputs, windows)
        squares = functional.adaptive_avg_pool1d(inputs.square(), windows)
        # Rounding can leave a steady window's variance just below 0.
        deviations = (squares - means.square()).clamp(min=0.0).sqrt()
        return torch.cat([means, deviations], dim=-1)

    def kept_bytes(self, shape: tuple[int, ...], rate: float) -> int:
        """Return the bytes of the statistics."""
        if rate >= 1.0:
            return raw_bytes(shape)
        return VALUE_BYTES * shape[0] * 2 * _windows(shape[-1], rate)

    def flops(self, shape: tuple[int, ...], rate: float) -> int:
        """Return two additions and a square for each number, and the roots."""
        if rate >= 1.0:
            return 0
        return 3 * math.prod(shape) + 4 * shape[0] * _windows(shape[-1], rate)


@dataclass(frozen=True, slots=True, eq=False)
class Components:
    """The leading K = rate F principal components; the model sees the trace rebuilt from them.

    Attributes:
        mean: [F], of the public traces.
        basis: [at most F, F], orthonormal rows by falling variance.
    """

    mean: FloatArray
    basis: FloatArray

    def apply(self, inputs: Tensor, rate: float) -> Tensor:
        """Return [B, C, T] rebuilt from ``rate`` of the components of [B, C, T]."""
        if rate >= 1.0:
            return inputs
        basis = torch.from_numpy(self.basis[: self._kept(rate)]).to(inputs)
        mean = torch.from_numpy(self.mean).to(inputs)
        scores = (inputs.flatten(start_dim=1) - mean) @ basis.T
        return (scores @ basis + mean).view_as(inputs)

    def kept_bytes(self, shape: tuple[int, ...], rate: float) -> int:
        """Return the scores' bytes; the basis is sent once, see :attr:`shared_bytes`."""
        return raw_bytes(shape) if rate >= 1.0 else VALUE_BYTES * self._kept(rate)

    def flops(self, shape: tuple[int, ...], rate: float) -> int:
        """Return the operations of the projection and of its inverse."""
        return 0 if rate >= 1.0 else 2 * 2 * self._kept(rate) * math.prod(shape)

    @property
    def shared_bytes(self) -> int:
        """Bytes of mean and basis, which a device is sent once."""
        return self.mean.nbytes + self.basis.nbytes

    def _kept(self, rate: float) -> int:
        return min(len(self.basis), kept_of(len(self.mean), rate))


def fit_components(public: FloatArray) -> Components:
    """Fit on public traces [N, C, T], N >= 2: principal components (Pearson, 1901) by covariance.

    The same traces give the same components, signs included: a row's largest entry is positive.
    """
    features = public.reshape(len(public), -1).astype(np.float64)
    mean = features.mean(axis=0)
    _, vectors = np.linalg.eigh(np.cov(features, rowvar=False))
    basis = vectors.T[::-1][: min(features.shape)]
    largest = np.take_along_axis(basis, np.abs(basis).argmax(axis=1)[:, None], axis=1)
    return Components(
        mean=mean.astype(np.float32),
        basis=np.ascontiguousarray(basis * np.sign(largest), dtype=np.float32),
    )


def _windows(length: int, rate: float) -> int:
    return max(1, min(length, round(rate * length / 2)))
