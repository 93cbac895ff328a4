"""What a frozen codec is made of: named arrays, checked when they come from a file.

Arrays named ``encoder.*`` are floats that only the sender uses; nothing that the two ends must
agree on depends on them. All others are integers, and the fingerprint is made of them.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

FORMAT = 1
ENCODER = "encoder."
KINDS = ("factorised", "hyperprior", "mixture")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Sizes of a codec.

    Attributes:
        dimension: D, features of a token and channels of its latent.
        kind: which entropy model.
        experts: E, hyperprior experts; 1 unless ``kind`` is ``mixture``.
        rates: R.
        hyper: H, channels of a hyper-latent; 0 if ``kind`` is ``factorised``.
    """

    dimension: int
    kind: str
    experts: int
    rates: int
    hyper: int

    def to_array(self) -> Array:
        """Return the sizes as integers."""
        kind = KINDS.index(self.kind)
        fields = (FORMAT, self.dimension, kind, self.experts, self.rates, self.hyper)
        return np.array(fields, np.int32)

    @classmethod
    def from_array(cls, fields: Array) -> "Sizes":
        """Return the sizes that :meth:`to_array` wrote.

        Raises:
            ValueError: another format, or sizes that no codec has.
        """
        if fields.shape != (6,) or int(fields[0]) != FORMAT:
            raise ValueError(f"sizes are {fields.tolist()}; expected 6, the first {FORMAT}")
        _, dimension, kind, experts, rates, hyper = (int(field) for field in fields)
        fits = 1 <= dimension <= 2048 and 0 <= kind < len(KINDS) and 1 <= rates <= 16
        if not fits or not 1 <= experts <= 64 or not 0 <= hyper <= dimension + 1:
            raise ValueError(f"sizes are {fields.tolist()}; no codec has these")
        return cls(dimension=dimension, kind=KINDS[kind], experts=experts, rates=rates, hyper=hyper)


def fingerprint(arrays: Mapping[str, Array]) -> int:
    """Return the unsigned 32-bit hash of all that both ends must share."""
    digest = hashlib.blake2b(digest_size=4)
    for name in sorted(arrays):
        if not name.startswith(ENCODER):
            array = arrays[name]
            wire = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False))
            digest.update(f"{name} {wire.dtype.str} {wire.shape}\n".encode())
            digest.update(wire.tobytes())
    return int.from_bytes(digest.digest(), "little")


def expect(arrays: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Check shapes.

    Raises:
        ValueError: an array is missing, of another shape, or not finite.
    """
    for name, shape in shapes.items():
        if name not in arrays:
            raise ValueError(f"{name} is missing")
        if arrays[name].shape != shape:
            raise ValueError(f"{name} has shape {arrays[name].shape}; expected {shape}")
        if arrays[name].dtype.kind == "f" and not np.isfinite(arrays[name]).all():
            raise ValueError(f"{name} contains NaN or infinity")
