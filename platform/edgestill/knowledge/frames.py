"""Public samples with the teacher's outputs, as they travel to devices.

A sample is one record of fixed layout: its inputs in their stored dtype, the teacher's embeddings
and logits as integers, its label. Records of one layout lie in one frame column by column; to join
frames is to concatenate records, so a tier in between can keep records per sample and frame any
selection of them without coding anything anew.

Columns are not entropy coded: on 64 samples of av_digits, coding each at its order-0 entropy would
save 11 % of a frame (audio 7.3, sensor 6.9, visual 6.7 of 8 bits) and cost the joining of records.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgestill.codec import (
    decode_arrays,
    dequantize,
    encode_arrays,
    is_step,
    packed_width,
    unpack_symbols,
)
from edgestill.errors import FrameError

FloatArray = NDArray[np.float32]
Array = NDArray[Any]

INPUT, EMBEDDING, LOGITS, LABELS = "input", "embedding", "logits", "labels"
AFFINE, GRID = "affine", "grid"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnowledgeBatch:
    """What a device distils from.

    Attributes:
        inputs: kind to [n, *shape] float32.
        embeddings: kind to [n, D] float32, the teacher's.
        logits: [n, K] float32, the teacher's.
        labels: [n] int64.
    """

    inputs: dict[str, FloatArray]
    embeddings: dict[str, FloatArray]
    logits: FloatArray
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        """Return n."""
        return len(self.labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleLayout:
    """How one sample lies in bytes, for a choice of kinds and bits.

    Attributes:
        dtype: structured, without padding; the columns of a frame are its fields.
        constants: what turns stored integers into numbers: per kind ``affine`` (scale, offset) of
            its inputs, per table ``grid`` (bits, width, step).
        fingerprint: of the bank.
    """

    dtype: np.dtype[np.void]
    constants: Mapping[str, FloatArray]
    fingerprint: int

    @classmethod
    def of(
        cls, columns: Mapping[str, Array], constants: Mapping[str, FloatArray], fingerprint: int
    ) -> "SampleLayout":
        """Return the layout of samples in columns [n, ...]; n may be 0."""
        fields = [(name, column.dtype, column.shape[1:]) for name, column in columns.items()]
        return cls(dtype=np.dtype(fields), constants=constants, fingerprint=fingerprint)

    @property
    def record_bytes(self) -> int:
        """Bytes of one sample's record."""
        return self.dtype.itemsize

    def records(self, columns: Mapping[str, Array]) -> list[bytes]:
        """Return each sample's record."""
        rows = np.empty(len(columns[LABELS]), self.dtype)
        for name, column in columns.items():
            rows[name] = column
        data = rows.tobytes()
        size = self.record_bytes
        return [data[at : at + size] for at in range(0, len(data), size)]

    def join(self, records: Sequence[bytes]) -> bytes:
        """Return the frame of these samples' records, in this order.

        Raises:
            ValueError: a record of another length, or more than a frame holds.
        """
        if any(len(record) != self.record_bytes for record in records):
            raise ValueError(f"a record of this layout has {self.record_bytes} bytes")
        rows = np.frombuffer(b"".join(records), self.dtype)
        return self.frame(
            {name: np.ascontiguousarray(rows[name]) for name in self.dtype.names or ()}
        )

    def frame(self, columns: Mapping[str, Array]) -> bytes:
        """Return the frame of samples in columns [n, ...].

        Raises:
            ValueError: more than a frame holds.
        """
        # 32: inputs that are stored as float32 stay as they are; all the rest are integers.
        arrays = {**columns, **self.constants}
        return encode_arrays(arrays, bits=32, fingerprint=self.fingerprint)


def split_frame(frame: bytes, *, fingerprint: int) -> tuple[SampleLayout, list[bytes]]:
    """Undo :meth:`SampleLayout.join`: return the layout and each sample's record.

    Raises:
        FrameError: anything but a frame of samples with this fingerprint.
    """
    arrays = decode_arrays(frame, fingerprint=fingerprint)
    columns = _columns(arrays)
    _count(columns)
    constants = {name: array for name, array in arrays.items() if name not in columns}
    layout = SampleLayout.of(columns, constants, fingerprint)
    return layout, layout.records(columns)


def decode_frame(frame: bytes, *, fingerprint: int) -> KnowledgeBatch:
    """Return the samples of a frame, ready to learn from.

    Raises:
        FrameError: anything but a frame of samples with this fingerprint.
    """
    arrays = decode_arrays(frame, fingerprint=fingerprint)
    columns = _columns(arrays)
    count = _count(columns)
    kinds = [name.rpartition("/")[0] for name in columns if name.endswith(f"/{INPUT}")]
    return KnowledgeBatch(
        inputs={kind: _input(arrays, kind) for kind in kinds},
        embeddings={kind: _table(arrays, f"{kind}/{EMBEDDING}") for kind in kinds},
        logits=_table(arrays, LOGITS),
        labels=_labels(arrays, count),
    )


def table_dtype(width: int, bits: int) -> tuple[str, tuple[int, ...]]:
    """Return dtype and row shape in which a table of ``width`` columns travels.

    Raises:
        ValueError: bits other than 4, 8 or 16.
    """
    if bits == 16:
        return "<f2", (width,)
    if bits in (4, 8):
        return "|u1", (packed_width(width, bits),)
    raise ValueError(f"bits is {bits}; expected 4, 8 or 16")


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


def _labels(arrays: Mapping[str, Array], count: int) -> NDArray[np.int64]:
    labels = arrays[LABELS]
    if labels.dtype.kind != "u" or labels.shape != (count,):
        raise FrameError(f"knowledge frame: labels are {labels.dtype} {labels.shape}")
    return labels.astype(np.int64)
