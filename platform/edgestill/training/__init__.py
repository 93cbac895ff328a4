"""One device's local training, and evaluation. The sequential trainer is the reference."""

from edgestill.training.batches import Samples, batches
from edgestill.training.evaluate import Score, evaluate
from edgestill.training.sequential import TERMS, LocalWork, Trained, train
from edgestill.training.teacher import EpochScore, fit_centrally

__all__ = [
    "TERMS",
    "EpochScore",
    "LocalWork",
    "Samples",
    "Score",
    "Trained",
    "batches",
    "evaluate",
    "fit_centrally",
    "train",
]
