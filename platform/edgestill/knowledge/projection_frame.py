"""The public projection as it travels to devices, once."""

import numpy as np

from edgestill.codec import decode_arrays, encode_arrays
from edgestill.errors import FrameError
from edgestill.knowledge.projection import Projection

MEAN, BASIS = "mean", "basis"
BITS = 16


def encode_projection(projection: Projection, *, fingerprint: int) -> bytes:
    """Return the frame of a projection, as float16; the kinds are one array's name."""
    kinds = ",".join(projection.kinds)
    arrays = {f"{MEAN}/{kinds}": projection.mean, BASIS: projection.basis}
    return encode_arrays(arrays, bits=BITS, fingerprint=fingerprint)


def decode_projection(frame: bytes, *, fingerprint: int) -> Projection:
    """Return the projection of a frame.

    Raises:
        FrameError: anything but a frame of :func:`encode_projection` with this fingerprint.
    """
    arrays = decode_arrays(frame, fingerprint=fingerprint)
    means = [name for name in arrays if name.startswith(f"{MEAN}/")]
    if len(means) != 1 or set(arrays) != {BASIS, *means}:
        raise FrameError(f"projection frame holds {sorted(arrays)}")
    mean, basis = arrays[means[0]], arrays[BASIS]
    if mean.ndim != 1 or basis.ndim != 2 or basis.shape[1:] != mean.shape:
        raise FrameError(f"projection frame has shapes {mean.shape} and {basis.shape}")
    return Projection(
        kinds=tuple(means[0].removeprefix(f"{MEAN}/").split(",")),
        mean=mean.astype(np.float32),
        basis=basis.astype(np.float32),
    )
