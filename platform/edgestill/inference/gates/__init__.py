"""Which inputs a device hands on: hardness, a threshold calibrated on validation data, budgets."""

from edgestill.inference.gates.answers import Answers, classified, detected
from edgestill.inference.gates.budget import BudgetedGate, Link, in_time
from edgestill.inference.gates.calibrate import (
    ALWAYS,
    NEVER,
    Curve,
    curve,
    for_accuracy,
    for_offload_rate,
    for_recall,
)
from edgestill.inference.gates.hardness import (
    Hardness,
    at_random,
    box_variance,
    least_confidence,
    mean_box_doubt,
    normalised_entropy,
    oracle,
    smallest_margin,
    unsure_boxes,
)
from edgestill.inference.gates.learned import (
    LearnedHardness,
    calibrated,
    fitted_temperature,
    learn_hardness,
)

__all__ = [
    "ALWAYS",
    "NEVER",
    "Answers",
    "BudgetedGate",
    "Curve",
    "Hardness",
    "LearnedHardness",
    "Link",
    "at_random",
    "box_variance",
    "calibrated",
    "classified",
    "curve",
    "detected",
    "fitted_temperature",
    "for_accuracy",
    "for_offload_rate",
    "for_recall",
    "in_time",
    "learn_hardness",
    "least_confidence",
    "mean_box_doubt",
    "normalised_entropy",
    "oracle",
    "smallest_margin",
    "unsure_boxes",
]
