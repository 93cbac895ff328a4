"""What a loaded data set is: arrays by modality kind, labels, users and splits."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

KINDS = ("visual", "audio", "sensor")
SPLITS = ("public", "validation", "private", "test")
_DIGEST_ROWS = 256


class Rows(Protocol):
    """An array on disk: what of numpy's interface the data sets promise. The first axis is N."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of all axes."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The stored type."""

    def __len__(self) -> int:
        """Return N."""

    def __getitem__(self, index: Any, /) -> Any:
        """Return rows in the stored type; an integer array copies, in its order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Modality:
    """One modality: a value is ``raw * scale + offset``, as float32.

    ``shape`` is that of one sample: visual (C, H, W), audio (1, mel, frames), sensor (channels,
    time). ``synthetic`` says that no real thing was recorded.
    """

    kind: str
    file: str
    shape: tuple[int, ...]
    scale: float = 1.0
    offset: float = 0.0
    synthetic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Multimodal samples, memory-mapped, with labels in memory.

    ``modalities`` and ``arrays`` are in the order visual, audio, sensor. ``labels`` is int64 [N]
    in 0..classes-1; ``users`` int64 [N] or None; ``splits`` maps public, validation, private and
    test to disjoint int64 indices. ``digest`` names the content (see :func:`content_digest`).
    """

    name: str
    modalities: Mapping[str, Modality]
    arrays: Mapping[str, Rows]
    labels: NDArray[np.int64]
    users: NDArray[np.int64] | None
    classes: int
    splits: Mapping[str, NDArray[np.int64]]
    digest: str
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The modality kinds, in the order visual, audio, sensor."""
        return tuple(self.modalities)

    def __len__(self) -> int:
        """Return N, the number of samples."""
        return len(self.labels)

    def inputs(self, indices: NDArray[np.int64]) -> dict[str, NDArray[np.float32]]:
        """Return the samples at ``indices`` (B of them) as {kind: float32 [B, *shape]}."""
        batch = {}
        for kind, modality in self.modalities.items():
            values = np.array(self.arrays[kind][indices], dtype=np.float32, order="C")
            values *= np.float32(modality.scale)
            values += np.float32(modality.offset)
            batch[kind] = values
        return batch


def content_digest(
    modalities: Mapping[str, Modality],
    arrays: Mapping[str, Rows],
    labels: NDArray[np.int64],
    users: NDArray[np.int64] | None,
    splits: Mapping[str, NDArray[np.int64]],
) -> str:
    """Return 16 hex digits that name a data set's content, wherever it lies.

    All labels, users, splits, shapes and scales count, and up to 256 evenly spaced rows of each
    modality, so that the time does not grow with the size of the arrays.
    """
    state = hashlib.blake2b(digest_size=8)
    sample = np.unique(np.linspace(0, len(labels) - 1, _DIGEST_ROWS).astype(np.int64))
    for kind, modality in modalities.items():
        rows = arrays[kind]
        facts = (kind, modality.shape, modality.scale, modality.offset, rows.dtype.str, len(rows))
        state.update(repr(facts).encode())
        state.update(np.ascontiguousarray(rows[sample]).tobytes())
    state.update(labels.astype("<i8").tobytes())
    state.update(b"" if users is None else users.astype("<i8").tobytes())
    for name in SPLITS:
        state.update(name.encode() + splits[name].astype("<i8").tobytes())
    return state.hexdigest()
