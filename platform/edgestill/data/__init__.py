"""Multimodal data sets: arrays opened memory-mapped, a manifest that is checked, and partitions.

A data set is a folder with ``manifest.yaml`` and ``.npy`` files, one of the published layouts
(:mod:`edgestill.data.layouts`), or the bundled ``av_digits`` (:mod:`edgestill.data.av_digits`).
"""

from edgestill.data.dataset import KINDS, SPLITS, Dataset, Modality, Rows
from edgestill.data.describe import describe
from edgestill.data.load import load_dataset
from edgestill.data.owned import Owned
from edgestill.data.partition import partition

__all__ = [
    "KINDS",
    "SPLITS",
    "Dataset",
    "Modality",
    "Owned",
    "Rows",
    "describe",
    "load_dataset",
    "partition",
]
