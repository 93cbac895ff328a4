"""One device's local training, and evaluation. The sequential trainer is the reference."""

from edgestill.training.batches import Samples, batches
from edgestill.training.evaluate import Score, evaluate
from edgestill.training.lane import lane_key, lane_refusal, train_lane
from edgestill.training.sequential import train
from edgestill.training.teacher import EpochScore, fit_centrally
from edgestill.training.work import TERMS, LaneMember, LocalWork, SamplePrivacy, Trained

__all__ = [
    "TERMS",
    "EpochScore",
    "LaneMember",
    "LocalWork",
    "SamplePrivacy",
    "Samples",
    "Score",
    "Trained",
    "batches",
    "evaluate",
    "fit_centrally",
    "lane_key",
    "lane_refusal",
    "train",
    "train_lane",
]
