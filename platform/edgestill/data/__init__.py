"""Multimodal data sets: arrays opened memory-mapped, a manifest that is checked, and partitions.

A data set is a folder with ``manifest.yaml`` and ``.npy`` files, one of the published layouts
(:mod:`edgestill.data.layouts`, :mod:`edgestill.data.recordings`, :mod:`edgestill.data.cifar10`), or
one of the bundled sets ``av_digits``, ``affect`` and ``photo_digits``
(:mod:`edgestill.data.av_digits`, :mod:`edgestill.data.affect`, :mod:`edgestill.data.photo_digits`).
Sets for detection are of a type of their own (:mod:`edgestill.data.detection`).
"""

from edgestill.data.dataset import KINDS, SPLITS, Dataset, Modality, Rows
from edgestill.data.describe import describe
from edgestill.data.held_out import hold_out
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
    "hold_out",
    "load_dataset",
    "partition",
]
