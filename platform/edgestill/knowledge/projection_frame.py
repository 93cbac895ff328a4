"""The public projection as it travels to devices, once."""

import numpy as np

from edgestill.codec import decode_arrays, encode_arrays
from edgestill.errors import FrameError
from edgestill.knowledge.projection import Projection

BASIS, CENTRES = "basis", "centres"
BITS = 16


def encode_projection(projection: Projection, *, fingerprint: int) -> bytes:
    """Return the frame of a projection, as float16.

    Each kind has one array, named for it, with its own rows and features alone.
    """
    arrays = {f"{BASIS}/{kind}": block for kind, block in projection.blocks().items()}
    return encode_arrays(
        {**arrays, CENTRES: projection.centres}, bits=BITS, fingerprint=fingerprint
    )


def decode_projection(frame: bytes, *, fingerprint: int) -> Projection:
    """Return the projection of a frame.

    Raises:
        FrameError: anything but a frame of :func:`encode_projection` with this fingerprint.
    """
    arrays = decode_arrays(frame, fingerprint=fingerprint)
    centres = arrays.pop(CENTRES, None)
    prefix = f"{BASIS}/"
    if centres is None or not arrays or not all(name.startswith(prefix) for name in arrays):
        raise FrameError(f"projection frame holds {sorted(arrays)}, centres {centres is not None}")
    blocks = {name.removeprefix(prefix): array for name, array in arrays.items()}
    shapes = [array.shape for array in (*blocks.values(), centres)]
    if any(len(shape) != 2 for shape in shapes):
        raise FrameError(f"projection frame has shapes {shapes}")
    if sum(len(block) for block in blocks.values()) != centres.shape[1]:
        raise FrameError(f"projection frame has shapes {shapes}")
    return Projection.of(
        {kind: block.astype(np.float32) for kind, block in blocks.items()},
        centres.astype(np.float32),
    )
