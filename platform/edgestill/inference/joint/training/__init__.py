"""Training of joint models; needs what a device need not have."""

from edgestill.inference.joint.training.adaptation import (
    Weights,
    adapt,
    feature_distance,
    new_codec,
    tokens_of,
)
from edgestill.inference.joint.training.gating import calibrate
from edgestill.inference.joint.training.learning import (
    Lessons,
    boosted,
    fit_cloud,
    fit_edge,
    lessons_of,
)
from edgestill.inference.joint.training.trainer import Sets, adapted_model, train_joint
from edgestill.inference.one_cycle import Plan

__all__ = [
    "Lessons",
    "Plan",
    "Sets",
    "Weights",
    "adapt",
    "adapted_model",
    "boosted",
    "calibrate",
    "feature_distance",
    "fit_cloud",
    "fit_edge",
    "lessons_of",
    "new_codec",
    "tokens_of",
    "train_joint",
]
