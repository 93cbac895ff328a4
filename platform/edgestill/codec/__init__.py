"""What crosses a link: checked frames of named arrays, quantised and entropy coded."""

from edgestill.codec.arrays import decode_arrays, encode_arrays, frame_bound_bytes
from edgestill.codec.frame import HEADER_BYTES, MAGIC, MAX_FRAME_BYTES, VERSION
from edgestill.codec.frozen import FrozenCodec
from edgestill.codec.quantize import (
    dequantize,
    is_step,
    pack_symbols,
    packed_width,
    quantize,
    unpack_symbols,
)
from edgestill.codec.rates import choose_rate
from edgestill.codec.specs import DTYPES

__all__ = [
    "DTYPES",
    "HEADER_BYTES",
    "MAGIC",
    "MAX_FRAME_BYTES",
    "VERSION",
    "FrozenCodec",
    "choose_rate",
    "decode_arrays",
    "dequantize",
    "encode_arrays",
    "frame_bound_bytes",
    "is_step",
    "pack_symbols",
    "packed_width",
    "quantize",
    "unpack_symbols",
]
