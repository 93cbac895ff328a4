"""Which expert codes which token: chosen by the sender in floats, signalled exactly."""

# Names end in shape letters.
# ruff: noqa: N803, N806

from collections.abc import Mapping
from typing import Any

import constriction
import numpy as np
from numpy.typing import NDArray

from edgestill.codec.frozen.latents import Floats, Places, family
from edgestill.codec.frozen.parameters import Array, Sizes, expect

NAMES = ("first", "first_bias", "second", "second_bias")


class Choice:
    """A router and the table of how often it picks each expert.

    A choice costs what the table says, or log2(E) bits where all of a request's cost less so.
    """

    def __init__(self, arrays: Mapping[str, Array], sizes: Sizes) -> None:
        self._experts = sizes.experts
        self._family = family(arrays, "choice")
        if len(self._family) != 1 or self._family.sizes[0] != sizes.experts + 1:
            raise ValueError("choice: expected one table, with a count for each expert")
        self._router = tuple(arrays[f"encoder.router.{name}"].astype(np.float64) for name in NAMES)
        hidden = self._router[1].shape[-1]
        shapes = ((sizes.dimension, hidden), (hidden,), (hidden, sizes.experts), (sizes.experts,))
        expect(arrays, {f"encoder.router.{n}": s for n, s in zip(NAMES, shapes, strict=True)})
        self._plain = constriction.stream.model.Uniform(sizes.experts)

    def of(self, tokens_ND: Floats) -> Places:
        """Return the expert with the highest score for each token, N."""
        first, first_bias, second, second_bias = self._router
        hidden_NW = _gelu(tokens_ND @ first + first_bias)
        experts_N: Places = np.argmax(hidden_NW @ second + second_bias, axis=-1)
        return experts_N

    def push(self, coder: Any, experts_N: Places) -> bool:
        """Push the choices; tell whether in log2(E) bits each."""
        symbols, tables = experts_N.astype(np.int32), np.zeros(len(experts_N), np.intp)
        coded_bits = self._family.bits(symbols, tables)
        plain = coded_bits >= len(symbols) * np.log2(self._experts)
        if plain:
            coder.encode_reverse(symbols, self._plain)
        else:
            self._family.push(coder, symbols, tables)
        return bool(plain)

    def pop(self, coder: Any, count: int, *, plain: bool) -> Places:
        """Pop so many choices; one that is no expert becomes the last (the checksum will tell)."""
        if plain:
            experts_N = coder.decode(self._plain, count)
        else:
            experts_N = self._family.pop(coder, np.zeros(count, np.intp))
        known_N: Places = np.clip(experts_N, 0, self._experts - 1).astype(np.intp)
        return known_N


def _gelu(values: Floats) -> NDArray[np.float64]:
    """Hendrycks and Gimpel (2016), by the hyperbolic tangent."""
    inner = np.sqrt(2 / np.pi) * (values + 0.044715 * values * values * values)
    gated: Floats = 0.5 * values * (1 + np.tanh(inner))
    return gated
