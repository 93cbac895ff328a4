"""Training of joint models; needs what a device need not have."""

from edgestill.inference.joint.training.adaptation import (
    Weights,
    adapt,
    new_codec,
    tokens_of,
    varied_tokens_of,
)
from edgestill.inference.joint.training.gating import calibrate
from edgestill.inference.joint.training.learning import (
    Lessons,
    boosted,
    feature_distance,
    fit_cloud,
    fit_edge,
    lessons_of,
)
from edgestill.inference.joint.training.trainer import (
    Sets,
    adapted_model,
    planned,
    train_joint,
)
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
    "planned",
    "tokens_of",
    "train_joint",
    "varied_tokens_of",
]
