"""Trade-offs of joint inference: what each way costs and gives, and which are worth having."""

from edgestill.inference.tradeoffs.architectures import adaptive, dynamic, gate_curve, independent
from edgestill.inference.tradeoffs.crossfit import held_out_worth, try_dynamic
from edgestill.inference.tradeoffs.operating import (
    Reference,
    Tried,
    best_within,
    cheapest,
    improved,
    try_all,
)
from edgestill.inference.tradeoffs.outcomes import Choice, Outcomes, Places, Point, Way, point
from edgestill.inference.tradeoffs.pareto import hypervolume
from edgestill.inference.tradeoffs.policies import (
    GatePolicy,
    Policy,
    PricedPolicy,
    Worth,
    learn_worth,
)
from edgestill.inference.tradeoffs.validated import OFFLOAD_RATES, try_architectures

__all__ = [
    "OFFLOAD_RATES",
    "Choice",
    "GatePolicy",
    "Outcomes",
    "Places",
    "Point",
    "Policy",
    "PricedPolicy",
    "Reference",
    "Tried",
    "Way",
    "Worth",
    "adaptive",
    "best_within",
    "cheapest",
    "dynamic",
    "gate_curve",
    "held_out_worth",
    "hypervolume",
    "improved",
    "independent",
    "learn_worth",
    "point",
    "try_all",
    "try_architectures",
    "try_dynamic",
]
