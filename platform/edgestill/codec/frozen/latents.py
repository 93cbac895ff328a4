"""The two entropy models of a frozen codec: from latents to symbols and back.

Latents on the server's side are integers, in units of 1/256 of a quantisation step.

Letters: N tokens, L latent channels, H hyper-latent channels, E experts.
"""

# Names end in shape letters.
# ruff: noqa: N803, N806, N815

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgestill.codec.frozen.integers import IntegerLayer, shifted_down
from edgestill.codec.frozen.parameters import Array, Sizes, expect
from edgestill.codec.frozen.stream import Stream
from edgestill.codec.tables import LARGEST_SYMBOL, Integers, TableFamily

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

STEP_BITS = 8
HIDDEN_BITS = 10
LARGEST_HIDDEN = 1 << 22
LARGEST_MEAN = 1 << 22
LEAKAGE = 0.125


class OutOfRangeError(ValueError):
    """A latent is further from its mean than a symbol reaches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Symbols:
    """What is to be pushed, and what the other end makes of it.

    Attributes:
        parts: family of tables, symbols and the table of each, in the order of pushing.
        stream: of the first part.
        decoded_NL: the latents as the other end will see them.
    """

    parts: tuple[tuple[TableFamily, Integers, NDArray[Any]], ...]
    stream: Stream
    decoded_NL: Floats

    def begun(self) -> Any:
        """Return a coder with all parts."""
        (_, symbols, tables), *others = self.parts
        coder = self.stream.begun(symbols, tables)
        for tables_of, pushed, under in others:
            tables_of.push(coder, pushed, under)
        return coder


class Prior(Protocol):
    """An entropy model."""

    def symbols(self, latents_NL: Floats, rate: int, experts_N: Places) -> Symbols:
        """Return the symbols of the latents of some tokens.

        Raises:
            OutOfRangeError: one would be beyond +-32,767.
        """

    def pop(self, coder: Any, rate: int, experts_N: Places) -> Floats:
        """Pop the symbols of the tokens that these experts code; return their latents NL.

        Raises:
            FrameError: these symbols are not all that the coder holds.
        """


class FactorisedPrior:
    """A table for each rate and channel; a latent is its symbol."""

    def __init__(self, arrays: Mapping[str, Array], sizes: Sizes) -> None:
        self._family = family(arrays, "latent")
        self._stream = Stream(self._family)
        self._channels = sizes.dimension
        if len(self._family) != sizes.rates * sizes.dimension:
            raise ValueError(f"latent: {len(self._family)} tables; expected one per channel")

    def symbols(self, latents_NL: Floats, rate: int, experts_N: Places) -> Symbols:
        """Return the rounded latents."""
        symbols_NL = within_reach(latents_NL)
        tables = self._tables(len(experts_N), rate)
        parts = ((self._family, symbols_NL.ravel(), tables),)
        return Symbols(parts=parts, stream=self._stream, decoded_NL=in_units(symbols_NL))

    def pop(self, coder: Any, rate: int, experts_N: Places) -> Floats:
        """Pop the latents."""
        symbols = self._stream.ended(coder, self._tables(len(experts_N), rate))
        return in_units(symbols.reshape(len(experts_N), self._channels))

    def _tables(self, count: int, rate: int) -> NDArray[Any]:
        return np.tile(np.arange(self._channels) + rate * self._channels, count)


class HyperPrior:
    """Hyperprior experts: a token's hyper-latent gives its means and its residuals' tables."""

    def __init__(self, arrays: Mapping[str, Array], sizes: Sizes) -> None:
        self._sizes = sizes
        self._hyper = family(arrays, "hyper")
        self._residual = family(arrays, "residual")
        self._stream = Stream(self._residual)
        if len(self._hyper) != sizes.rates * sizes.experts * sizes.hyper:
            raise ValueError(f"hyper: {len(self._hyper)} tables; expected one per channel")
        self._first, self._means, self._places = (
            IntegerLayer.from_arrays(arrays, f"synthesis.{name}")
            for name in ("first", "means", "places")
        )
        expect(arrays, self._shapes())
        self._analysis = tuple(
            arrays[f"encoder.hyper.{name}"].astype(np.float64) for name in ANALYSIS
        )

    def symbols(self, latents_NL: Floats, rate: int, experts_N: Places) -> Symbols:
        """Return residuals and hyper-latents, which are popped first."""
        hyper_NH = np.rint(self._analysed(latents_NL, experts_N))
        hyper_NH = np.clip(hyper_NH, -LARGEST_SYMBOL, LARGEST_SYMBOL).astype(np.int32)
        means_NL, tables_NL = self._predicted(hyper_NH, experts_N)
        residuals_NL = within_reach(latents_NL - means_NL * 2.0**-STEP_BITS)
        parts = (
            (self._residual, residuals_NL.ravel(), tables_NL.ravel()),
            (self._hyper, hyper_NH.ravel(), self._hyper_tables(rate, experts_N)),
        )
        decoded_NL = in_units(residuals_NL) + means_NL
        return Symbols(parts=parts, stream=self._stream, decoded_NL=decoded_NL)

    def pop(self, coder: Any, rate: int, experts_N: Places) -> Floats:
        """Pop hyper-latents, then residuals; return the latents NL."""
        symbols = self._hyper.pop(coder, self._hyper_tables(rate, experts_N))
        hyper_NH = symbols.reshape(len(experts_N), self._sizes.hyper)
        means_NL, tables_NL = self._predicted(hyper_NH, experts_N)
        residuals = self._stream.ended(coder, tables_NL.ravel())
        return in_units(residuals.reshape(means_NL.shape)) + means_NL

    def _analysed(self, latents_NL: Floats, experts_N: Places) -> Floats:
        hyper_NH = np.empty((len(latents_NL), self._sizes.hyper))
        for expert in np.unique(experts_N):
            own = experts_N == expert
            first, first_bias, second, second_bias = (array[expert] for array in self._analysis)
            hidden = latents_NL[own] @ first + first_bias
            hidden = np.where(hidden < 0, hidden * LEAKAGE, hidden)
            hyper_NH[own] = hidden @ second + second_bias
        return hyper_NH

    def _predicted(self, hyper_NH: Integers, experts_N: Places) -> tuple[Floats, NDArray[np.uint8]]:
        """Return means in units of 1/256 step, and the table of each residual."""
        shape = (len(hyper_NH), self._sizes.dimension)
        means_NL, tables_NL = np.empty(shape), np.empty(shape, np.uint8)
        for expert in np.unique(experts_N):
            own = experts_N == expert
            means_NL[own], tables_NL[own] = self._predicted_by(int(expert), hyper_NH[own])
        return means_NL, tables_NL

    def _predicted_by(self, expert: int, hyper_NH: Integers) -> tuple[Floats, NDArray[np.uint8]]:
        hidden_NW = self._first[expert](hyper_NH.astype(np.float64))
        hidden_NW = np.where(hidden_NW < 0, np.floor(hidden_NW * LEAKAGE), hidden_NW)
        hidden_NW = shifted_down(hidden_NW, self._first.exponent - HIDDEN_BITS)
        hidden_NW = np.clip(hidden_NW, -LARGEST_HIDDEN, LARGEST_HIDDEN)
        means_NL = self._means[expert](hidden_NW)
        means_NL = shifted_down(means_NL, self._means.exponent + HIDDEN_BITS - STEP_BITS)
        places_NL = self._places[expert](hidden_NW)
        places_NL = shifted_down(places_NL, self._places.exponent + HIDDEN_BITS)
        tables_NL = np.clip(places_NL, 0, len(self._residual) - 1).astype(np.uint8)
        return np.clip(means_NL, -LARGEST_MEAN, LARGEST_MEAN), tables_NL

    def _hyper_tables(self, rate: int, experts_N: Places) -> NDArray[Any]:
        channels = self._sizes.hyper
        firsts_N = (rate * self._sizes.experts + experts_N) * channels
        tables_NH: NDArray[Any] = firsts_N[:, None] + np.arange(channels)
        return tables_NH.ravel()

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        experts, latent = self._sizes.experts, self._sizes.dimension
        hyper, hidden = self._sizes.hyper, self._first.weight.shape[-1]
        return {
            "synthesis.first.weight": (experts, hyper, hidden),
            "synthesis.means.weight": (experts, hidden, latent),
            "synthesis.places.weight": (experts, hidden, latent),
            "encoder.hyper.first": (experts, latent, hidden),
            "encoder.hyper.first_bias": (experts, hidden),
            "encoder.hyper.second": (experts, hidden, hyper),
            "encoder.hyper.second_bias": (experts, hyper),
        }


ANALYSIS = ("first", "first_bias", "second", "second_bias")


def family(arrays: Mapping[str, Array], name: str) -> TableFamily:
    """Return the tables of one name.

    Raises:
        ValueError: they are no tables.
    """
    return TableFamily(*(arrays[f"{name}.{part}"] for part in ("lows", "sizes", "counts")))


def within_reach(latents: Floats) -> Integers:
    """Round to symbols.

    Raises:
        OutOfRangeError: one of them is beyond +-32,767.
    """
    rounded = np.rint(latents)
    if rounded.size and np.abs(rounded).max() > LARGEST_SYMBOL:
        raise OutOfRangeError(f"a latent is beyond +-{LARGEST_SYMBOL} steps")
    return rounded.astype(np.int32)


def in_units(symbols: Integers) -> Floats:
    """Return whole steps in units of 1/256 of a step."""
    return symbols * 2.0**STEP_BITS
