"""Random numbers that are a pure function of who draws them.

Each number is a hash of (the device's training seed, the step, the number of the draw within the
step, the sample's own identity, the element within the sample), so that a sample's dropout is the
same in any company, at any place in a batch, and however the batch is filled up. Counter-based
generators: Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011; the hash is
splitmix64's (Steele, Lea & Flood, OOPSLA 2014), in torch's int64 arithmetic, which wraps.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from edgestill.training.elementwise import steadily
from edgestill.training.interception import Table

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


def _signed(word: int) -> int:
    return word - (1 << 64) if word >> 63 else word


_STEP, _FIRST, _SECOND = map(_signed, (_GOLDEN, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


FORWARD, AUGMENTATION, NOISE = range(3)
"""Purposes: two of them never share a stream."""


def step_key(seed: int, step: int, purpose: int = FORWARD) -> int:
    """Return the signed 64-bit key of one step of a device's training, for one purpose."""
    word = (seed + (3 * step + purpose + 1) * _GOLDEN) & _MASK
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        word = ((word ^ (word >> shift)) * factor) & _MASK
    return _signed(word ^ (word >> 31))


def _shifted(words: Tensor, bits: int) -> Tensor:
    """Shift int64 right as if it were unsigned."""
    return (words >> bits) & ((1 << (64 - bits)) - 1)


def _mixed(words: Tensor) -> Tensor:
    words = (words ^ _shifted(words, 30)) * _FIRST
    words = (words ^ _shifted(words, 27)) * _SECOND
    return words ^ _shifted(words, 31)


class Streams:
    """The draws of one step of one device, in the order in which they are made.

    Args:
        key: scalar int64, :func:`step_key` of the step.
        identities: [B] int64 of the batch's samples.
    """

    def __init__(self, key: Tensor, identities: Tensor) -> None:
        self._key = key
        self._identities = identities
        self._draws = 0

    def uniform(self, shape: tuple[int, ...]) -> Tensor:
        """Return float32 in [0, 1) of a shape whose first axis is that of the samples.

        Or a multiple of it, as where time was folded into it; of any other shape, all samples
        share the numbers.
        """
        return _shifted(self._words(shape), 40).float() * 2.0**-24

    def normal(self, shape: tuple[int, ...]) -> Tensor:
        """Return float32 of the standard normal distribution (Box & Muller, 1958)."""
        words = self._words(shape)
        radius = (_shifted(words, 40).float() + 0.5) * 2.0**-24
        angle = (_shifted(words, 16) & 0xFFFFFF).float() * (2 * math.pi * 2.0**-24)
        return (-2.0 * steadily(torch.log)(radius)).sqrt() * steadily(torch.cos)(angle)

    def table(self) -> Table:
        """Return what takes the place of torch's random functions."""
        return {
            functional.dropout: self._dropout,
            functional.dropout1d: self._channel_dropout,
            functional.dropout2d: self._channel_dropout,
            functional.dropout3d: self._channel_dropout,
            torch.dropout: self._torch_dropout,
            torch.rand: self._drawing(self.uniform),
            torch.randn: self._drawing(self.normal),
            torch.rand_like: self._like(self.uniform),
            torch.randn_like: self._like(self.normal),
            torch.bernoulli: self._bernoulli,
            Tensor.bernoulli: self._bernoulli,
        }

    def _words(self, shape: tuple[int, ...]) -> Tensor:
        self._draws += 1
        key = _mixed(self._key + _signed(self._draws * _GOLDEN & _MASK))
        count, rows = math.prod(shape), len(self._identities)
        if not shape or not rows or shape[0] % rows:
            return _mixed(key + self._counter(count)).reshape(shape)
        keys = _mixed(key + self._identities * _STEP)
        return _mixed(keys.unsqueeze(1) + self._counter(count // rows)).reshape(shape)

    def _counter(self, count: int) -> Tensor:
        return torch.arange(count, device=self._identities.device) * _STEP

    def _dropout(
        self,
        input: Tensor,  # noqa: A002 - torch's name
        p: float = 0.5,
        training: bool = True,
        inplace: bool = False,
    ) -> Tensor:
        return self._thinned(input, input.shape, p) if training and p else input

    def _torch_dropout(self, input: Tensor, p: float, train: bool) -> Tensor:  # noqa: A002
        return self._dropout(input, p, train)

    def _channel_dropout(
        self,
        input: Tensor,  # noqa: A002 - torch's name
        p: float = 0.5,
        training: bool = True,
        inplace: bool = False,
    ) -> Tensor:
        shape = (*input.shape[:2], *(1,) * (input.dim() - 2))
        return self._thinned(input, shape, p) if training and p else input

    def _thinned(self, values: Tensor, shape: tuple[int, ...], p: float) -> Tensor:
        kept = (self.uniform(tuple(shape)) >= p).float()
        return values * (kept * (1.0 / (1.0 - p) if p < 1.0 else 0.0))

    def _bernoulli(self, input: Tensor, p: float | None = None, **_: Any) -> Tensor:  # noqa: A002
        draws = self.uniform(tuple(input.shape))
        return (draws < (input if p is None else p)).to(input.dtype)

    @staticmethod
    def _drawing(draw: Callable[[tuple[int, ...]], Tensor]) -> Callable[..., Tensor]:
        def drawn(*size: Any, dtype: torch.dtype | None = None, **_: Any) -> Tensor:
            shape = size[0] if len(size) == 1 and not isinstance(size[0], int) else size
            return draw(tuple(shape)).to(dtype or torch.float32)

        return drawn

    @staticmethod
    def _like(draw: Callable[[tuple[int, ...]], Tensor]) -> Callable[..., Tensor]:
        def drawn(input: Tensor, **_: Any) -> Tensor:  # noqa: A002
            return draw(tuple(input.shape)).to(input.dtype)

        return drawn
