"""Frames of public samples, read where they arrive: whatever is wrong with one is a FrameError."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edgestill.codec import decode_arrays, dequantize, is_step, unpack_symbols
from edgestill.errors import FrameError
from edgestill.knowledge.frames import (
    AFFINE,
    EMBEDDING,
    GRID,
    INPUT,
    LABELS,
    LOGITS,
    RELEVANCE,
    Array,
    FloatArray,
    KnowledgeBatch,
    SampleLayout,
    table_dtype,
)
from edgestill.knowledge.planes import restored


def split_frame(frame: bytes, *, fingerprint: int) -> tuple[SampleLayout, list[bytes]]:
    """Undo :meth:`SampleLayout.join`: return the layout and each sample's record.

    Raises:
        FrameError: anything but a frame of samples with this fingerprint.
    """
    arrays = restored(decode_arrays(frame, fingerprint=fingerprint))
    columns = _columns(arrays)
    _count(columns)
    # It is one device's, and no part of the samples.
    columns.pop(RELEVANCE, None)
    arrays.pop(RELEVANCE, None)
    constants = {name: array for name, array in arrays.items() if name not in columns}
    layout = SampleLayout.of(columns, constants, fingerprint)
    return layout, layout.records(columns)


def decode_frame(frame: bytes, *, fingerprint: int) -> KnowledgeBatch:
    """Return the samples of a frame, ready to learn from.

    Raises:
        FrameError: anything but a frame of samples with this fingerprint.
    """
    arrays = restored(decode_arrays(frame, fingerprint=fingerprint))
    columns = _columns(arrays)
    count = _count(columns)
    kinds = [name.rpartition("/")[0] for name in columns if name.endswith(f"/{INPUT}")]
    return KnowledgeBatch(
        inputs={kind: _input(arrays, kind) for kind in kinds},
        embeddings={kind: _table(arrays, f"{kind}/{EMBEDDING}") for kind in kinds},
        logits=_table(arrays, LOGITS),
        labels=_labels(arrays, count),
        relevance=_relevance(arrays),
    )


def _columns(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Return the arrays that have a row per sample."""
    return {
        name: array
        for name, array in arrays.items()
        if name.rpartition("/")[2] not in (AFFINE, GRID)
    }


def _count(columns: Mapping[str, Array]) -> int:
    if LABELS not in columns or any(array.ndim == 0 for array in columns.values()):
        raise FrameError(f"knowledge frame lacks rows; it holds {sorted(columns)}")
    counts = {len(array) for array in columns.values()}
    if len(counts) != 1:
        raise FrameError(f"knowledge frame has columns of {sorted(counts)} samples")
    return counts.pop()


def _need(arrays: Mapping[str, Array], name: str) -> Array:
    if name not in arrays:
        raise FrameError(f"knowledge frame lacks {name}")
    return arrays[name]


def _constant(arrays: Mapping[str, Array], name: str, size: int) -> list[float]:
    array = _need(arrays, name)
    if array.shape != (size,) or array.dtype != np.float32:
        raise FrameError(f"knowledge frame: {name} is {array.dtype} {array.shape}")
    return [float(value) for value in array]


def _input(arrays: Mapping[str, Array], kind: str) -> FloatArray:
    scale, offset = _constant(arrays, f"{kind}/{AFFINE}", 2)
    with np.errstate(over="ignore", invalid="ignore"):
        values = to_float(arrays[f"{kind}/{INPUT}"], scale, offset)
    if not np.isfinite(values).all():
        raise FrameError(f"knowledge frame: {kind} inputs are not finite")
    return values


def to_float(raw: Array, scale: float, offset: float) -> FloatArray:
    """Return raw * scale + offset in float32."""
    return raw.astype(np.float32) * np.float32(scale) + np.float32(offset)


def _table(arrays: Mapping[str, Array], name: str) -> FloatArray:
    """Return a table of the teacher's outputs, [n, width]."""
    bits, width, step = _constant(arrays, f"{name}/{GRID}", 3)
    packed = _need(arrays, name)
    if bits not in (4, 8, 16) or not 0 <= width < 1 << 24 or not is_step(step):
        raise FrameError(f"knowledge frame: {name} has a grid of {bits} bits, {width}, {step}")
    dtype, row = table_dtype(int(width), int(bits))
    if packed.dtype != np.dtype(dtype) or packed.shape[1:] != row:
        raise FrameError(f"knowledge frame: {name} is {packed.dtype} {packed.shape}")
    if bits == 16:
        return packed.astype(np.float32)
    return dequantize(unpack_symbols(packed, int(width), int(bits)), step)


def _relevance(arrays: Mapping[str, Array]) -> FloatArray | None:
    """Return the samples' weights, of mean 1."""
    if RELEVANCE not in arrays:
        return None
    levels = arrays[RELEVANCE]
    if levels.dtype != np.uint8 or levels.ndim != 1:
        raise FrameError(f"knowledge frame: relevance is {levels.dtype} {levels.shape}")
    if not levels.any():
        raise FrameError("knowledge frame: no sample counts")
    return relevance_weights(levels)


def relevance_weights(levels: NDArray[np.uint8]) -> FloatArray:
    """Return what samples count, of mean 1, by their levels [n], not all 0."""
    wide = levels.astype(np.float32)
    return np.asarray(wide / wide.mean(), np.float32)


def _labels(arrays: Mapping[str, Array], count: int) -> NDArray[np.int64]:
    labels = arrays[LABELS]
    if labels.dtype.kind != "u" or labels.shape != (count,):
        raise FrameError(f"knowledge frame: labels are {labels.dtype} {labels.shape}")
    return labels.astype(np.int64)
