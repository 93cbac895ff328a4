"""Named arrays of mixed dtypes in one frame: model updates, summaries, knowledge.

Float32 arrays are coded at the frame's ``bits``: 32 as they are, 16 as float16, 8 and 4 quantised
with one step per array and entropy coded together, or packed when that is smaller. Arrays of
integers or of float16 travel as they are.

The payload holds, in this order: the arrays that travel as they are or as floats, one after the
other; at 4 and 8 bits the steps (float32 each), then the symbols of all float32 arrays.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgestill.codec.entropy import decode_symbols, encode_symbols
from edgestill.codec.frame import HEADER_BYTES, MAX_FRAME_BYTES, Frame, seal, unseal
from edgestill.codec.quantize import (
    dequantize,
    is_step,
    pack_symbols,
    packed_width,
    quantize,
    unpack_symbols,
)
from edgestill.codec.reader import Reader
from edgestill.codec.specs import FLOAT32, ArraySpec, decode_specs, encode_specs
from edgestill.errors import FrameError

Array = NDArray[Any]

CODEC_ARRAYS = 1
FLAG_ENTROPY_CODED = 1
_WIRE_FLOAT = {16: "<f2", 32: "<f4"}
_LARGEST_FLOAT16 = float(np.finfo(np.float16).max)


def encode_arrays(
    arrays: Mapping[str, Array], *, bits: int, fingerprint: int, seed: int | None = None
) -> bytes:
    """Return the frame of named arrays; the same arrays give the same bytes on any machine.

    Args:
        arrays: name to array of float32 (coded at ``bits``), float16 or integers (kept).
        bits: 4, 8, 16 or 32 per float32. At 16, values beyond float16's range saturate.
        fingerprint: unsigned 32-bit name of what both ends must share, such as the model.
        seed: of stochastic rounding at 4 and 8 bits; None rounds to the nearest.

    Raises:
        ValueError: bits unknown, an array not finite or of a dtype that does not travel, or a
            frame above :data:`MAX_FRAME_BYTES`.
    """
    _check_bits(bits)
    specs = [_spec(name, array) for name, array in arrays.items()]
    head = encode_specs(specs)
    plain = b"".join(_plain_bytes(spec, arrays[spec.name], bits) for spec in specs)
    coded, flags = b"", 0
    if bits not in _WIRE_FLOAT:
        floats = [np.asarray(arrays[spec.name]) for spec in specs if spec.dtype == FLOAT32]
        coded, flags = _coded_bytes(floats, bits, seed)
    frame = Frame(
        codec=CODEC_ARRAYS,
        bits=bits,
        flags=flags,
        fingerprint=fingerprint,
        head=head,
        payload=plain + coded,
    )
    return seal(frame)


def decode_arrays(
    frame: bytes, *, fingerprint: int, max_bytes: int = MAX_FRAME_BYTES
) -> dict[str, Array]:
    """Return the named arrays of a frame, each its own memory, every float finite.

    Args:
        frame: bytes from anywhere.
        fingerprint: what the frame must have been made for.
        max_bytes: cap on the frame and on the arrays it describes, checked before any is allocated.

    Raises:
        FrameError: anything but a whole frame of :func:`encode_arrays` with this fingerprint.
    """
    opened = unseal(frame, codec=CODEC_ARRAYS, fingerprint=fingerprint, max_bytes=max_bytes)
    if opened.bits not in (4, 8, *_WIRE_FLOAT) or opened.flags & ~FLAG_ENTROPY_CODED:
        raise FrameError(f"frame declares {opened.bits} bits and flags {opened.flags:#x}")
    specs = decode_specs(opened.head, max_bytes=max_bytes)
    reader = Reader(opened.payload)
    arrays = {
        spec.name: _take_plain(reader, spec, opened.bits)
        for spec in specs
        if _travels_plain(spec, opened.bits)
    }
    if opened.bits not in _WIRE_FLOAT:
        floats = [spec for spec in specs if spec.dtype == FLOAT32]
        arrays.update(_take_coded(reader, floats, opened.bits, opened.flags))
    reader.finish()
    return {spec.name: arrays[spec.name] for spec in specs}


def frame_bound_bytes(shapes: Mapping[str, tuple[int, ...]], *, bits: int) -> int:
    """Return the most bytes that :func:`encode_arrays` gives for float32 arrays of these shapes.

    Known before the values are, so that a device's upload can be planned for.
    """
    _check_bits(bits)
    specs = [ArraySpec(name=name, dtype=FLOAT32, shape=shape) for name, shape in shapes.items()]
    payload = packed_width(sum(spec.count for spec in specs), bits)
    steps = 0 if bits in _WIRE_FLOAT else 4 * len(specs)
    return HEADER_BYTES + len(encode_specs(specs)) + steps + payload


def _check_bits(bits: int) -> None:
    if bits not in (4, 8, *_WIRE_FLOAT):
        raise ValueError(f"bits is {bits}; expected 4, 8, 16 or 32")


def _spec(name: str, array: Array) -> ArraySpec:
    """Describe an array, after a check that its floats are finite."""
    array = np.asarray(array)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{name}: contains NaN or infinity")
    return ArraySpec(name=name, dtype=array.dtype.newbyteorder("<").str, shape=array.shape)


def _travels_plain(spec: ArraySpec, bits: int) -> bool:
    return spec.dtype != FLOAT32 or bits in _WIRE_FLOAT


def _wire_dtype(spec: ArraySpec, bits: int) -> str:
    return _WIRE_FLOAT[bits] if spec.dtype == FLOAT32 else spec.dtype


def _plain_bytes(spec: ArraySpec, array: Array, bits: int) -> bytes:
    if not _travels_plain(spec, bits):
        return b""
    wire = _wire_dtype(spec, bits)
    if spec.dtype == FLOAT32 and wire != FLOAT32:
        array = np.clip(array, -_LARGEST_FLOAT16, _LARGEST_FLOAT16)
    return np.asarray(array).astype(wire, copy=False).tobytes()


def _take_plain(reader: Reader, spec: ArraySpec, bits: int) -> Array:
    wire = np.dtype(_wire_dtype(spec, bits))
    data = np.frombuffer(reader.take(spec.count * wire.itemsize), wire)
    if wire.kind == "f" and not np.isfinite(data).all():
        raise FrameError(f"frame: {spec.name} contains NaN or infinity")
    return data.astype(np.dtype(spec.dtype).newbyteorder("=")).reshape(spec.shape)


def _coded_bytes(floats: Sequence[Array], bits: int, seed: int | None) -> tuple[bytes, int]:
    """Return steps and symbols, and the frame's flags."""
    rng = None if seed is None else np.random.default_rng(seed)
    pairs = [quantize(array, bits, rng) for array in floats]
    steps = np.array([step for _, step in pairs], dtype="<f4").tobytes()
    if not any(symbols.size for symbols, _ in pairs):
        return steps, 0
    symbols = np.concatenate([symbols.ravel() for symbols, _ in pairs])
    packed = pack_symbols(symbols, bits).tobytes()
    stream = encode_symbols(symbols)
    if len(stream) < len(packed):
        return steps + stream, FLAG_ENTROPY_CODED
    return steps + packed, 0


def _take_coded(
    reader: Reader, specs: Sequence[ArraySpec], bits: int, flags: int
) -> dict[str, Array]:
    steps = np.frombuffer(reader.take(4 * len(specs)), "<f4").astype(np.float32)
    if not all(is_step(step) for step in steps):
        raise FrameError("frame: a quantisation step is out of range")
    counts = [spec.count for spec in specs]
    portions = (
        decode_symbols(reader, counts)
        if flags & FLAG_ENTROPY_CODED
        else _packed_symbols(reader, counts, bits)
    )
    # Strict also runs the portions to their end, where the stream's own end is checked.
    return {
        spec.name: dequantize(symbols, step).reshape(spec.shape)
        for symbols, spec, step in zip(portions, specs, steps, strict=True)
    }


def _packed_symbols(reader: Reader, counts: Sequence[int], bits: int) -> Iterator[NDArray[np.int8]]:
    total = sum(counts)
    packed = np.frombuffer(reader.take(packed_width(total, bits)), np.uint8)
    symbols = unpack_symbols(packed, total, bits)
    at = 0
    for count in counts:
        yield symbols[at : at + count]
        at += count
