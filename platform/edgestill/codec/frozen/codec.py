"""Tokens to frames and back.

The number of tokens stands in the header's field of bits; from 255 on that is 255, and the head
is the number (a varint). Flags: bit 0, bounded form; bit 1, choices of
experts in plain bits; bits 2 to 5, the rate. The payload is the coder's stream; the frame's
checksum also covers the latents that it decodes to, so that no end ever gives a wrong tensor.

In the bounded form the payload is a float32 step for each token, then their int8 symbols: no input,
however strange or hostile, takes more than that (an entropy attack inflates learned payloads).

Letters: N tokens, D features, L latent channels.
"""

# Names end in shape letters.
# ruff: noqa: N803, N806

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from edgestill.codec.frame import MAX_FRAME_BYTES, Frame, check_covered, seal, unseal
from edgestill.codec.frozen.bounded import bounded_bytes, bounded_tokens, bounded_width
from edgestill.codec.frozen.choice import Choice
from edgestill.codec.frozen.integers import LARGEST_INPUT, IntegerLayer
from edgestill.codec.frozen.latents import (
    STEP_BITS,
    FactorisedPrior,
    Floats,
    HyperPrior,
    OutOfRangeError,
    Places,
    Prior,
    Symbols,
)
from edgestill.codec.frozen.parameters import Array, Sizes, expect, fingerprint
from edgestill.codec.frozen.stream import read, written
from edgestill.codec.reader import Reader, varint
from edgestill.errors import DataError, FrameError, RateError

CODEC_TOKENS = 3
"""2 was the form whose coder starts empty; its frames are refused."""

MAX_TOKENS_BYTES = 1 << 24
"""Largest array of float32 tokens that is decoded unasked."""

_COUNTED_IN_HEAD = 255
_BOUNDED, _PLAIN_CHOICE, _RATE_SHIFT = 1, 2, 2


class FrozenCodec:
    """A feature codec of integer tables and integer weights; both ends compute the same everywhere.

    Attributes:
        sizes: of the codec.
        fingerprint: of everything that both ends share, in every frame.
    """

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        """Make a codec of the arrays that :meth:`to_arrays` gives.

        Raises:
            ValueError: they make no codec.
        """
        try:
            self._build(dict(arrays))
        except KeyError as error:
            raise ValueError(f"{error.args[0]} is missing") from error

    def _build(self, arrays: dict[str, Array]) -> None:
        self._arrays = arrays
        self.sizes = sizes = Sizes.from_array(arrays["sizes"])
        width = (sizes.dimension, sizes.dimension)
        shapes = {"encoder.analysis": width, "encoder.analysis_bias": width[:1]}
        expect(arrays, {**shapes, "encoder.gains": (sizes.rates, sizes.dimension)})
        self._analysis = tuple(
            arrays[f"encoder.{name}"].astype(np.float64)
            for name in ("analysis", "analysis_bias", "gains")
        )
        names = [f"transform.{rate}" for rate in range(sizes.rates)]
        expect(arrays, {f"{name}.weight": width for name in names})
        self._synthesis = [IntegerLayer.from_arrays(arrays, name) for name in names]
        factorised = sizes.kind == "factorised"
        self._prior: Prior = (FactorisedPrior if factorised else HyperPrior)(arrays, sizes)
        self._choice = Choice(arrays, sizes) if sizes.kind == "mixture" else None
        self.fingerprint = fingerprint(arrays)

    def encode(
        self, tokens_ND: NDArray[np.float32], rate: int = 0, max_bytes: int = MAX_FRAME_BYTES
    ) -> bytes:
        """Return the frame of at least one token.

        Args:
            tokens_ND: finite float32.
            rate: 0, the coarsest, to R - 1.
            max_bytes: of the frame.

        Raises:
            ValueError: not such tokens, or no such rate.
            RateError: even so the frame would have more than ``max_bytes``.
        """
        tokens_ND = np.asarray(tokens_ND, np.float32)
        self._check(tokens_ND, rate)
        payload, flags, covered = self._payload(tokens_ND, rate)
        count = len(tokens_ND)
        frame = Frame(
            codec=CODEC_TOKENS,
            bits=min(count, _COUNTED_IN_HEAD),
            flags=flags | rate << _RATE_SHIFT,
            fingerprint=self.fingerprint,
            head=varint(count) if count >= _COUNTED_IN_HEAD else b"",
            payload=payload,
        )
        sealed = seal(frame, covered=covered)
        if len(sealed) > max_bytes:
            raise RateError(
                f"{len(tokens_ND)} tokens take {len(sealed)} bytes at rate {rate}; "
                f"the cap of this request is {max_bytes}"
            )
        return sealed

    def decode(self, frame: bytes, *, max_bytes: int = MAX_TOKENS_BYTES) -> NDArray[np.float32]:
        """Return the tokens ND of a frame, bit for bit the same on every machine.

        Args:
            frame: bytes from anywhere.
            max_bytes: cap on the tokens as float32, checked before memory is taken.

        Raises:
            FrameError: anything but a whole frame made by this codec.
        """
        opened = unseal(
            frame,
            codec=CODEC_TOKENS,
            fingerprint=self.fingerprint,
            max_bytes=MAX_FRAME_BYTES,
            covered=True,
        )
        count = self._count(opened, max_bytes)
        rate = opened.flags >> _RATE_SHIFT
        if rate >= self.sizes.rates:
            raise FrameError(f"frame declares flags {opened.flags:#x}, of no rate of this codec")
        if opened.flags & _BOUNDED:
            check_covered(frame, b"")
            return bounded_tokens(opened.payload, count, self.sizes.dimension)
        plain = bool(opened.flags & _PLAIN_CHOICE)
        latents_NL = self._latents(bytes(opened.payload), count, rate, plain=plain)
        check_covered(frame, _covered(latents_NL))
        return self._tokens(latents_NL, rate)

    def symbols(self, tokens_ND: NDArray[np.float32], rate: int = 0) -> Symbols:
        """Return the symbols that :meth:`encode` codes in the learned form, with their tables.

        Raises:
            ValueError: not finite tokens ND, no such rate, or a latent beyond a symbol's reach.
        """
        self._check(tokens_ND, rate)
        return self._symbols(tokens_ND.astype(np.float64), rate)[0]

    def to_arrays(self) -> dict[str, Array]:
        """Return what the codec is made of."""
        return dict(self._arrays)

    def save(self, path: Path) -> None:
        """Write the codec as safetensors.

        Raises:
            DataError: the file cannot be written.
        """
        try:
            path.write_bytes(save(self._arrays))
        except OSError as error:
            raise DataError(f"{path}: cannot be written ({error.strerror})") from error

    @classmethod
    def load(cls, path: Path) -> "FrozenCodec":
        """Read a codec.

        Raises:
            DataError: the file is missing, or holds something else.
        """
        try:
            return cls(load(path.read_bytes()))
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror})") from error
        except (SafetensorError, ValueError) as error:
            raise DataError(f"{path}: is no frozen codec: {error}") from error

    def _payload(self, tokens_ND: NDArray[np.float32], rate: int) -> tuple[bytes, int, bytes]:
        """Return the shorter of the learned and the bounded form, its flags, what they cover."""
        bounded = bounded_width(len(tokens_ND), self.sizes.dimension)
        try:
            payload, plain, covered = self._learned(tokens_ND.astype(np.float64), rate)
        except OutOfRangeError:
            payload, plain, covered = b"", False, b""
        if payload and len(payload) <= bounded:
            return payload, _PLAIN_CHOICE if plain else 0, covered
        return bounded_bytes(tokens_ND), _BOUNDED, b""

    def _learned(self, tokens_ND: Floats, rate: int) -> tuple[bytes, bool, bytes]:
        symbols, experts_N = self._symbols(tokens_ND, rate)
        coder = symbols.begun()
        plain = self._choice is not None and self._choice.push(coder, experts_N)
        return written(coder), plain, _covered(symbols.decoded_NL)

    def _symbols(self, tokens_ND: Floats, rate: int) -> tuple[Symbols, Places]:
        weight, bias, gains = self._analysis
        latents_NL = (tokens_ND @ weight + bias) * gains[rate]
        experts_N = np.zeros(len(tokens_ND), np.intp)
        if self._choice is not None:
            experts_N = self._choice.of(tokens_ND)
        return self._prior.symbols(latents_NL, rate, experts_N), experts_N

    def _latents(self, payload: bytes, count: int, rate: int, *, plain: bool) -> Floats:
        coder = read(payload)
        experts_N = np.zeros(count, np.intp)
        if self._choice is not None:
            experts_N = self._choice.pop(coder, count, plain=plain)
        elif plain:
            raise FrameError("frame declares a choice among one expert")
        return self._prior.pop(coder, rate, experts_N)

    def _tokens(self, latents_NL: Floats, rate: int) -> NDArray[np.float32]:
        layer = self._synthesis[rate]
        sums_ND = layer(np.clip(latents_NL, -LARGEST_INPUT, LARGEST_INPUT))
        return (sums_ND * 2.0 ** -(layer.exponent + STEP_BITS)).astype(np.float32)

    def _count(self, opened: Frame, max_bytes: int) -> int:
        reader = Reader(opened.head)
        count = opened.bits if opened.bits < _COUNTED_IN_HEAD else reader.varint()
        reader.finish()
        decoded = 4 * count * self.sizes.dimension
        if not 0 < decoded <= max_bytes:
            raise FrameError(f"frame has {count} tokens of {decoded} bytes; the cap is {max_bytes}")
        return count

    def _check(self, tokens_ND: NDArray[np.float32], rate: int) -> None:
        if tokens_ND.ndim != 2 or tokens_ND.shape[1] != self.sizes.dimension or not tokens_ND.size:
            raise ValueError(f"tokens are {tokens_ND.shape}; expected [n, {self.sizes.dimension}]")
        if not np.isfinite(tokens_ND).all():
            raise ValueError("tokens contain NaN or infinity")
        if not 0 <= rate < self.sizes.rates:
            raise ValueError(f"rate is {rate}; this codec has rates 0 to {self.sizes.rates - 1}")


def _covered(latents_NL: Floats) -> bytes:
    """Return the decoded latents as the checksum sees them, whatever made two ends differ."""
    return latents_NL.astype("<i4").tobytes()
