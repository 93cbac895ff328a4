"""CIFAR-10's binary version, read as it was published: memory-mapped, no conversion, no copy.

Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009. The folder
``cifar-10-batches-bin`` holds ``data_batch_1.bin`` to ``data_batch_5.bin`` and ``test_batch.bin``;
a record is 1 byte of label (0..9) and 3,072 of pixels: red, green, blue, each 32 x 32 row by row.

Splits are those of :mod:`edgestill.data.layouts`, with ``test_batch.bin`` as the published test.
The Python version is pickled, and nothing is unpickled here: it is refused.
"""

from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgestill.data.arrays import Source
from edgestill.data.dataset import Dataset, Modality, Rows, content_digest
from edgestill.data.layouts import CLASSES, Stacked, published_splits
from edgestill.errors import DataError

LAYOUT = "cifar10_binary"
TRAIN_FILES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST_FILE = "test_batch.bin"
SHAPE = (3, 32, 32)
RECORD_BYTES = 1 + 3 * 32 * 32


def load_cifar10(name: str, folder: Path) -> Dataset:
    """Open CIFAR-10's binary version; pixels are brought to 0..1.

    Args:
        name: how the data set is called in reports.
        folder: ``cifar-10-batches-bin``, or the one that it lies in.

    Raises:
        DataError: a file is missing, truncated or has a label above 9, or it is the Python version.
    """
    home = _home(folder)
    files = [_records(Source(path=home / f, key="data.path")) for f in (*TRAIN_FILES, TEST_FILE)]
    labels = np.concatenate([records[:, 0] for records in files]).astype(np.int64)
    test = len(files[-1])
    splits = published_splits(home / TRAIN_FILES[0], len(labels) - test, test)
    visual = Modality(kind="visual", file="*_batch*.bin", shape=SHAPE, scale=1 / 255)
    images: list[Rows] = [records[:, 1:].reshape(-1, *SHAPE) for records in files]
    arrays: dict[str, Rows] = {"visual": reduce(Stacked, images)}
    return Dataset(
        name=name,
        modalities={"visual": visual},
        arrays=arrays,
        labels=labels,
        users=None,
        classes=CLASSES,
        splits=splits,
        digest=content_digest({"visual": visual}, arrays, labels, None, splits),
    )


def _home(folder: Path) -> Path:
    """Return the folder of the files, which may lie in ``folder`` under its published name.

    Raises:
        DataError: there is no such folder, or it holds the Python version.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} (data.path): no such folder; expected cifar-10-batches-bin")
    nested = folder / "cifar-10-batches-bin"
    home = nested if nested.is_dir() else folder
    for other in (home, folder / "cifar-10-batches-py"):
        if (other / "data_batch_1").exists() and not (home / TRAIN_FILES[0]).exists():
            raise DataError(
                f"{other / 'data_batch_1'} (data.path): CIFAR-10's Python version, which is "
                "pickled and never opened; expected its binary version, cifar-10-binary.tar.gz"
            )
    return home


def _records(source: Source) -> NDArray[Any]:
    """Return a file's records, uint8 [n, 3073], memory-mapped.

    Raises:
        DataError: it is missing, unreadable, no whole number of records, or a label is above 9.
    """
    try:
        size = source.path.stat().st_size
        if size == 0 or size % RECORD_BYTES:
            raise source.fault(
                f"{size} bytes, not a whole number of records of {RECORD_BYTES} bytes; truncated, "
                "or not the binary version"
            )
        records = np.memmap(source.path, np.uint8, "r", shape=(size // RECORD_BYTES, RECORD_BYTES))
    except FileNotFoundError as error:
        raise source.fault("no such file; expected CIFAR-10's binary version") from error
    except OSError as error:
        raise source.fault(f"cannot be read: {error}") from error
    wrong = np.flatnonzero(records[:, 0] >= CLASSES)
    if len(wrong):
        raise source.fault(
            f"label {records[wrong[0], 0]} in record {wrong[0]}; expected 0 to {CLASSES - 1}"
        )
    return records
