"""Layers whose results are the same integers on every machine, in whatever order they are summed.

Streams made on one machine decode to garbage on another when the decoder's parameters come from
floating point sums, whose order depends on library and threads. Here weights, inputs and results
are integers held in float64: every partial sum stays below 2**53, and is therefore exact.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Floats = NDArray[np.float64]

LARGEST_WEIGHT = (1 << 15) - 1
MOST_INPUTS = 1 << 11
LARGEST_INPUT = 1 << 24
LARGEST_BIAS = 1 << 50
"""2**15 * 2**24 * 2**11 + 2**50 is below 2**53."""

_LARGEST_EXPONENT = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegerLayer:
    """weight and bias times powers of two: of ``exponent``, and of that plus the inputs' own.

    Attributes:
        weight: float64 [..., inputs, outputs] of integers, +-32,767 at most.
        bias: float64 [..., outputs] of integers.
        exponent: a weight of w is held as w * 2**exponent.
    """

    weight: Floats
    bias: Floats
    exponent: int

    @classmethod
    def of(cls, weight: Array, bias: Array, *, input_bits: int) -> "IntegerLayer":
        """Round a layer to integers.

        Args:
            weight: [..., inputs, outputs].
            bias: [..., outputs].
            input_bits: the inputs are held as x * 2**input_bits.
        """
        _, above = np.frexp(float(np.abs(weight).max(initial=0.0)))
        exponent = min(15 - int(above), _LARGEST_EXPONENT)
        whole = np.rint(np.asarray(weight, np.float64) * 2.0**exponent)
        shifted = np.rint(np.asarray(bias, np.float64) * 2.0 ** (exponent + input_bits))
        return cls(
            weight=np.clip(whole, -LARGEST_WEIGHT, LARGEST_WEIGHT),
            bias=np.clip(shifted, -LARGEST_BIAS, LARGEST_BIAS),
            exponent=exponent,
        )

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array], name: str) -> "IntegerLayer":
        """Return the layer that :meth:`to_arrays` wrote.

        Raises:
            ValueError: it is none, or its sums could be beyond 2**53.
        """
        weight, bias = arrays[f"{name}.weight"], arrays[f"{name}.bias"]
        exponent = int(arrays[f"{name}.exponent"])
        fits = weight.dtype == np.int16 and bias.dtype == np.int64 and weight.ndim >= 2
        if not fits or bias.shape != (*weight.shape[:-2], weight.shape[-1]):
            raise ValueError(f"{name}: weight {weight.shape} and bias {bias.shape} do not fit")
        if weight.shape[-2] > MOST_INPUTS or abs(exponent) > _LARGEST_EXPONENT:
            raise ValueError(f"{name}: {weight.shape[-2]} inputs, exponent {exponent}: too large")
        if weight.size and np.abs(bias).max() > LARGEST_BIAS:
            raise ValueError(f"{name}: a bias is beyond 2**50")
        whole, shifted = weight.astype(np.float64), bias.astype(np.float64)
        return cls(weight=whole, bias=shifted, exponent=exponent)

    def to_arrays(self, name: str) -> dict[str, Array]:
        """Return the layer as named integer arrays."""
        return {
            f"{name}.weight": self.weight.astype(np.int16),
            f"{name}.bias": self.bias.astype(np.int64),
            f"{name}.exponent": np.array(self.exponent, np.int32),
        }

    def __getitem__(self, place: int) -> "IntegerLayer":
        """Return one of the layers along the first axis."""
        return IntegerLayer(
            weight=self.weight[place], bias=self.bias[place], exponent=self.exponent
        )

    def __call__(self, inputs: Floats) -> Floats:
        """Return exact sums for integers within +-2**24, [tokens, outputs]."""
        sums: Floats = inputs @ self.weight
        sums += self.bias
        return sums


def shifted_down(values: Floats, bits: int) -> Floats:
    """Return the integers nearest to values / 2**bits, halves upwards; exact below 2**51."""
    scaled = values * 2.0**-bits
    scaled += 0.5
    rounded: Floats = np.floor(scaled, out=scaled)
    return rounded
