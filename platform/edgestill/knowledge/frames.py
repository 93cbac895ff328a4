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

from edgestill.codec import encode_arrays, packed_width
from edgestill.knowledge.planes import coarse, coarse_bytes

FloatArray = NDArray[np.float32]
Array = NDArray[Any]

INPUT, EMBEDDING, LOGITS, LABELS = "input", "embedding", "logits", "labels"
RELEVANCE = "relevance"
AFFINE, GRID = "affine", "grid"

RELEVANCE_LEVELS = 255
"""What the sample that counts most has in the column ``relevance``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnowledgeBatch:
    """What a device distils from.

    Attributes:
        inputs: kind to [n, *shape] float32.
        embeddings: kind to [n, D] float32, the teacher's.
        logits: [n, K] float32, the teacher's.
        labels: [n] int64.
        relevance: [n] float32 of mean 1, what each sample counts in the distillation; None where
            all count the same.
    """

    inputs: dict[str, FloatArray]
    embeddings: dict[str, FloatArray]
    logits: FloatArray
    labels: NDArray[np.int64]
    relevance: FloatArray | None = None

    def __len__(self) -> int:
        """Return n."""
        return len(self.labels)

    def at(self, rows: NDArray[np.int64]) -> "KnowledgeBatch":
        """Return the samples at ``rows`` [m], which may repeat, with what they count."""
        return KnowledgeBatch(
            inputs={kind: array[rows] for kind, array in self.inputs.items()},
            embeddings={kind: table[rows] for kind, table in self.embeddings.items()},
            logits=self.logits[rows],
            labels=self.labels[rows],
            relevance=None if self.relevance is None else self.relevance[rows],
        )


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

    @property
    def coarse_bytes(self) -> int:
        """Bytes of one sample at the lower rate (:mod:`edgestill.knowledge.planes`)."""
        return coarse_bytes(self.dtype)

    def join(
        self,
        records: Sequence[bytes],
        relevance: NDArray[np.uint8] | None = None,
        *,
        lower_rate: bool = False,
    ) -> bytes:
        """Return the frame of these samples' records, in this order.

        Args:
            records: as :meth:`records` gives them.
            relevance: [n], what each counts on the device that it is for; None: all the same.
            lower_rate: whether half of each sample's bits stay behind.

        Raises:
            ValueError: a record of another length, or more than a frame holds.
        """
        if any(len(record) != self.record_bytes for record in records):
            raise ValueError(f"a record of this layout has {self.record_bytes} bytes")
        rows = np.frombuffer(b"".join(records), self.dtype)
        columns = {name: np.ascontiguousarray(rows[name]) for name in self.dtype.names or ()}
        if lower_rate:
            tables = (name.removesuffix(f"/{GRID}") for name in self.constants)
            columns = coarse(columns, frozenset(tables))
        return self.frame(columns if relevance is None else {**columns, RELEVANCE: relevance})

    def frame(self, columns: Mapping[str, Array]) -> bytes:
        """Return the frame of samples in columns [n, ...].

        Raises:
            ValueError: more than a frame holds.
        """
        # 32: inputs that are stored as float32 stay as they are; all the rest are integers.
        arrays = {**columns, **self.constants}
        return encode_arrays(arrays, bits=32, fingerprint=self.fingerprint)


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
