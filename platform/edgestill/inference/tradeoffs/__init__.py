"""Trade-offs of joint inference: what each way costs and gives, and which are worth having."""

from edgestill.inference.tradeoffs.architectures import (
    DynamicPolicy,
    dynamic_choices,
    gate_curve,
    gated,
    learn_dynamic,
)
from edgestill.inference.tradeoffs.outcomes import Outcomes, Point, Way, point
from edgestill.inference.tradeoffs.pareto import front, hypervolume

__all__ = [
    "DynamicPolicy",
    "Outcomes",
    "Point",
    "Way",
    "dynamic_choices",
    "front",
    "gate_curve",
    "gated",
    "hypervolume",
    "learn_dynamic",
    "point",
]
