"""Quantisers without an entropy model, behind the interface of the feature codec: the controls.

Letters: B images, N tokens, D features, M = B * N.
"""

# Names end in shape letters.
# ruff: noqa: N803, N806

import math
import zlib
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgestill.codec.arrays import decode_arrays, encode_arrays
from edgestill.codec.frame import MAX_FRAME_BYTES
from edgestill.codec.frozen import MAX_TOKENS_BYTES
from edgestill.codec.learned.coded import Coded
from edgestill.codec.learned.priors import rounded
from edgestill.codec.quantize import dequantize, largest_symbol, pack_symbols, unpack_symbols
from edgestill.errors import FrameError, RateError

Quantiser = Literal["learned", "int8", "fp16"]
QUANTISERS = ("learned", "int8", "fp16")
LEARNED_BITS = 4

_NAME = "tokens"


class ScalarCodec(nn.Module):
    """Tokens as ``fp16``, as uniform ``int8``, or in 4 bits with learned steps.

    ``int8`` has one step per image, its largest magnitude / 127. ``learned`` has a step for each
    channel that is trained with the task, gradients straight through the rounding (LSQ, Esser et
    al., ICLR 2020, without its scaling of the gradient). ``bits_BN`` is constant; a frame of
    ``int8`` may have fewer, since frames of arrays are entropy coded where that is shorter.
    """

    def __init__(self, dimension: int, *, kind: Quantiser, step: float = 0.25) -> None:
        """Begin untrained.

        Args:
            dimension: D.
            kind: which quantiser.
            step: that the learned quantiser begins with, in units of the tokens.

        Raises:
            ValueError: an argument is out of range.
        """
        super().__init__()
        if kind not in QUANTISERS or dimension < 1 or not (math.isfinite(step) and step > 0):
            raise ValueError(f"no quantiser {kind!r} of {dimension} features with step {step}")
        self.dimension, self.kind = dimension, kind
        self.bits = {"learned": LEARNED_BITS, "int8": 8, "fp16": 16}[kind]
        learns = kind == "learned"
        self.log_steps = nn.Parameter(torch.full((dimension,), math.log(step)), learns)

    def forward(self, tokens_BND: Tensor, rate: int = 0) -> Coded:
        """Return the tokens as decoded and their bits; ``rate`` must be 0.

        Raises:
            ValueError: tokens of another width, or another rate.
        """
        self._check(tokens_BND, rate)
        return Coded(
            tokens_BND=self._decoded(tokens_BND),
            bits_BN=tokens_BND.new_full(tokens_BND.shape[:-1], self.bits * self.dimension),
            balance=tokens_BND.new_zeros(()),
        )

    def anneal(self, progress: float) -> None:
        """Do nothing: there is no router."""

    def encode(self, tokens_ND: Tensor, rate: int = 0, max_bytes: int = MAX_FRAME_BYTES) -> bytes:
        """Return the frame of one request's tokens.

        Raises:
            ValueError: not finite tokens [n, D], or another rate than 0.
            RateError: the frame would have more than ``max_bytes``.
        """
        self._check(tokens_ND, rate)
        tokens = tokens_ND.detach().cpu().float()
        array = self._packed(tokens) if self.kind == "learned" else tokens.numpy()
        frame = encode_arrays(
            {_NAME: array}, bits=16 if self.kind == "fp16" else 8, fingerprint=self._fingerprint()
        )
        if len(frame) > max_bytes:
            raise RateError(f"tokens take {len(frame)} bytes; this request's cap is {max_bytes}")
        return frame

    def decode(self, frame: bytes, *, max_bytes: int = MAX_TOKENS_BYTES) -> Tensor:
        """Return the tokens ND of a frame.

        Raises:
            FrameError: anything but a whole frame of :meth:`encode`.
        """
        arrays = decode_arrays(frame, fingerprint=self._fingerprint(), max_bytes=max_bytes)
        width = -(-self.dimension // 2) if self.kind == "learned" else self.dimension
        dtype = np.dtype(np.uint8 if self.kind == "learned" else np.float32)
        array = arrays.get(_NAME)
        if array is None or len(arrays) != 1 or array.shape[1:] != (width,) or array.ndim != 2:
            raise FrameError(f"frame holds {list(arrays)}; expected tokens [n, {width}]")
        if array.dtype != dtype:
            raise FrameError(f"frame holds tokens of {array.dtype}; expected {dtype}")
        if self.kind != "learned":
            return torch.from_numpy(array)
        symbols = unpack_symbols(array, self.dimension, LEARNED_BITS)
        return torch.from_numpy(dequantize(symbols, 1.0)) * self.log_steps.detach().exp()

    def _decoded(self, tokens_BND: Tensor) -> Tensor:
        if self.kind == "fp16":
            return tokens_BND.half().to(tokens_BND.dtype)
        if self.kind == "int8":
            limit = largest_symbol(8)
            peak = tokens_BND.detach().abs().amax(dim=(-2, -1), keepdim=True)
            steps = peak.clamp_min(torch.finfo(torch.float32).tiny) / limit
            return rounded(tokens_BND / steps) * steps
        steps_D = self.log_steps.exp()
        limit = largest_symbol(LEARNED_BITS)
        return rounded((tokens_BND / steps_D).clamp(-limit, limit)) * steps_D

    def _packed(self, tokens_ND: Tensor) -> NDArray[np.uint8]:
        limit = largest_symbol(LEARNED_BITS)
        scaled_ND = (tokens_ND / self.log_steps.detach().exp()).clamp(-limit, limit)
        return pack_symbols(scaled_ND.round().to(torch.int8).numpy(), LEARNED_BITS)

    def _fingerprint(self) -> int:
        shared = f"{self.kind} {self.dimension} ".encode()
        if self.kind == "learned":
            shared += self.log_steps.detach().cpu().numpy().tobytes()
        return zlib.crc32(shared)

    def _check(self, tokens: Tensor, rate: int) -> None:
        if tokens.shape[-1] != self.dimension or rate != 0:
            raise ValueError(
                f"tokens have {tokens.shape[-1]} features at rate {rate}; expected "
                f"{self.dimension} at rate 0, the only one"
            )
        if not torch.isfinite(tokens).all():
            raise ValueError("tokens contain NaN or infinity")
