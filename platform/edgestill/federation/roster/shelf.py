"""Noised summaries of many devices, on disk, so that the population takes none of the memory."""

import os
import tempfile

import numpy as np
from numpy.typing import NDArray

from edgestill.errors import FrameError
from edgestill.knowledge import Summary

Rows = NDArray[np.float32]


class SummaryShelf:
    """Summaries of one shape by the order in which they came; the file goes with the process.

    A row holds the deviation of the noise, the histogram [K] and the prototype [P] if there is one.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the shelf
        self._shape: tuple[int, int] | None = None
        self._count = 0

    def __len__(self) -> int:
        """Return how many summaries are held."""
        return self._count

    def add(self, summary: Summary) -> int:
        """Keep a summary and return its place.

        Raises:
            FrameError: it has another shape than those before it.
        """
        shape = _shape_of(summary)
        if self._shape is not None and shape != self._shape:
            raise FrameError(f"summary of {shape} classes and width; the others have {self._shape}")
        parts = [np.array([summary.noise_stddev]), summary.histogram]
        parts += [] if summary.prototype is None else [summary.prototype]
        return self._extend(np.concatenate(parts, dtype=np.float32)[None], shape)

    def read(self, place: int) -> Summary:
        """Return the summary at a place."""
        return self._summary(self._read(place, 1)[0])

    def rows(self, places: NDArray[np.int32]) -> Rows:
        """Return the summaries at some places as rows, for a checkpoint."""
        return self._read(0, self._count)[places]

    def restore(self, rows: Rows, shape: tuple[int, int]) -> None:
        """Begin anew with a checkpoint's rows, of K classes and width P (0: no prototypes)."""
        self._file.truncate(0)
        self._shape, self._count = None, 0
        if len(rows):
            self._extend(np.asarray(rows, np.float32), shape)

    @property
    def shape(self) -> tuple[int, int]:
        """The classes K and the width P of the summaries; zeros before the first."""
        return self._shape or (0, 0)

    def _extend(self, rows: Rows, shape: tuple[int, int]) -> int:
        place, self._shape = self._count, shape
        os.pwrite(self._file.fileno(), rows.tobytes(), place * self._row_bytes)
        self._count += len(rows)
        return place

    @property
    def _row_bytes(self) -> int:
        classes, width = self.shape
        return 4 * (1 + classes + width)

    def _read(self, place: int, count: int) -> Rows:
        size = self._row_bytes
        content = os.pread(self._file.fileno(), count * size, place * size)
        return np.frombuffer(content, np.float32).reshape(count, size // 4)

    def _summary(self, row: NDArray[np.float32]) -> Summary:
        classes, width = self.shape
        prototype = row[1 + classes :] if width else None
        return Summary(
            kind="histogram" if prototype is None else "prototypes",
            histogram=row[1 : 1 + classes],
            prototype=prototype,
            noise_stddev=float(row[0]),
        )


def _shape_of(summary: Summary) -> tuple[int, int]:
    return len(summary.histogram), 0 if summary.prototype is None else len(summary.prototype)
