"""Published arrays, read as they were published: no conversion, no copy.

====================== ============================================== ===========================
layout                 files (rows)                                   sample shapes
====================== ============================================== ===========================
multibench_avmnist     image/{train,test}_data.npy (784,)             visual (1, 28, 28)
                       audio/{train,test}_data.npy (112, 112)         audio (1, 112, 112)
                       {train,test}_labels.npy
written_spoken_digits  data_wr_{train,test}.npy (784,)                visual (1, 28, 28)
                       data_sp_{train,test}.npy (507,)                audio (1, 13, 39)
                       labels_{train,test}.npy
====================== ============================================== ===========================

The published test rows are ``test``. The last twelfth of the train rows is ``validation``, as
MultiBench cuts AV-MNIST (5,000 of 60,000). Of the rest, the first two of every five consecutive
rows are ``public`` and the other three ``private``, so that files sorted by label give fair parts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgestill.data.arrays import Source, open_features, read_integers
from edgestill.data.dataset import Dataset, Modality, Rows, content_digest
from edgestill.data.folder import check_length
from edgestill.errors import DataError

CLASSES = 10
_LEAST_TRAIN_ROWS = 12
View = Callable[[NDArray[Any]], NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Stacked:
    """Two memory-mapped arrays of equal rows, one after the other, without copying either.

    Either may itself be two.
    """

    head: Rows
    tail: Rows

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of all axes."""
        return (len(self), *self.head.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type that holds the values of both."""
        return np.promote_types(self.head.dtype, self.tail.dtype)

    def __len__(self) -> int:
        """Return the number of rows of both."""
        return len(self.head) + len(self.tail)

    def __getitem__(self, index: Any, /) -> NDArray[Any]:
        """Return a copy of the rows at an integer, a slice or an array of integers or booleans."""
        rows = np.asarray(np.arange(len(self))[index])
        flat = rows.reshape(-1)
        out = np.empty((len(flat), *self.head.shape[1:]), self.dtype)
        in_head = flat < len(self.head)
        out[in_head] = self.head[flat[in_head]]
        out[~in_head] = self.tail[flat[~in_head] - len(self.head)]
        return out.reshape(*rows.shape, *self.head.shape[1:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One modality of a layout; ``{}`` in ``file`` stands for train or test."""

    file: str
    row_shape: tuple[int, ...]
    view: View
    scale: float | None = 1 / 255


def _pixels(rows: NDArray[Any]) -> NDArray[Any]:
    return rows.reshape(-1, 1, 28, 28)


def _spectrogram(rows: NDArray[Any]) -> NDArray[Any]:
    return rows[:, None]


def _coefficients(rows: NDArray[Any]) -> NDArray[Any]:
    """39 time slots of 13 coefficients each, turned so that time is the last axis."""
    return rows.reshape(-1, 1, 39, 13).swapaxes(2, 3)


# MultiBench, datasets/avmnist/get_data.py (Liang et al., NeurIPS Datasets and Benchmarks 2021), and
# "Written and spoken digits database for multimodal learning" (Khacef et al., Zenodo 4452953, v2).
# The latter standardised its coefficients; its pixels are 0..255 or 0..1, told by their maximum.
_LAYOUTS: Mapping[str, tuple[str, Mapping[str, Part]]] = {
    "multibench_avmnist": (
        "{}_labels.npy",
        {
            "visual": Part(file="image/{}_data.npy", row_shape=(784,), view=_pixels),
            "audio": Part(file="audio/{}_data.npy", row_shape=(112, 112), view=_spectrogram),
        },
    ),
    "written_spoken_digits": (
        "labels_{}.npy",
        {
            "visual": Part(file="data_wr_{}.npy", row_shape=(784,), view=_pixels, scale=None),
            "audio": Part(file="data_sp_{}.npy", row_shape=(507,), view=_coefficients, scale=1.0),
        },
    ),
}


def load_layout(name: str, folder: Path, layout: str) -> Dataset:
    """Open the published arrays in ``folder``.

    Args:
        name: how the data set is called in reports.
        folder: where the files of the table above lie.
        layout: ``multibench_avmnist`` or ``written_spoken_digits``.

    Raises:
        DataError: a file is missing, damaged, of another row shape or of another length.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} (data.path): no such folder; expected the layout {layout}")
    label_file, parts = _LAYOUTS[layout]
    train, test = (
        read_integers(_source(folder, label_file, half), below=CLASSES)
        for half in ("train", "test")
    )
    splits = published_splits(folder / label_file.format("train"), len(train), len(test))
    labels = np.concatenate([train, test])
    opened = {
        kind: _open(folder, kind, part, len(train), len(test)) for kind, part in parts.items()
    }
    modalities = {kind: modality for kind, (modality, _) in opened.items()}
    arrays: dict[str, Rows] = {kind: rows for kind, (_, rows) in opened.items()}
    return Dataset(
        name=name,
        modalities=modalities,
        arrays=arrays,
        labels=labels,
        users=None,
        classes=CLASSES,
        splits=splits,
        digest=content_digest(modalities, arrays, labels, None, splits),
    )


def _source(folder: Path, file: str, half: str) -> Source:
    return Source(path=folder / file.format(half), key="data.path")


def _open(folder: Path, kind: str, part: Part, train: int, test: int) -> tuple[Modality, Stacked]:
    views = []
    for half, samples in (("train", train), ("test", test)):
        source = _source(folder, part.file, half)
        array = open_features(source)
        if array.shape[1:] != part.row_shape:
            raise source.fault(f"rows of shape {array.shape[1:]}; expected {part.row_shape}")
        check_length(source, len(array), samples)
        views.append(part.view(array))
    rows = Stacked(*views)
    scale = _pixel_scale(rows) if part.scale is None else part.scale
    file = part.file.format("{train,test}")
    return Modality(kind=kind, file=file, shape=rows.shape[1:], scale=scale), rows


def _pixel_scale(rows: Rows) -> float:
    """Return the scale that takes pixels to 0..1, judged by the first 64 images."""
    return 1 / 255 if float(np.max(rows[: min(64, len(rows))])) > 1.0 else 1.0


def published_splits(train_labels: Path, train: int, test: int) -> dict[str, NDArray[np.int64]]:
    """Return the splits, as said at the top, of train rows with test rows behind them.

    Raises:
        DataError: there are too few of them; it names the file of the train labels.
    """
    if train < _LEAST_TRAIN_ROWS or test < 1:
        raise DataError(
            f"{train_labels} (data.path): {train} train and {test} test rows; "
            f"expected at least {_LEAST_TRAIN_ROWS} and 1"
        )
    held_out = train // 12
    rest = np.arange(train - held_out, dtype=np.int64)
    return {
        "public": rest[rest % 5 < 2],
        "validation": np.arange(train - held_out, train, dtype=np.int64),
        "private": rest[rest % 5 >= 2],
        "test": np.arange(train, train + test, dtype=np.int64),
    }
