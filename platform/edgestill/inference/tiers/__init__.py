"""Which tier answers an input that a device finds hard, and from how many bytes."""

from edgestill.inference.tiers.dynamic import dynamic
from edgestill.inference.tiers.limits import Limits, VitalsLimits, limits_of
from edgestill.inference.tiers.plan import (
    RatePolicy,
    arriving,
    fastest_first,
    largest,
    sufficient,
)

__all__ = [
    "Limits",
    "RatePolicy",
    "VitalsLimits",
    "arriving",
    "dynamic",
    "fastest_first",
    "largest",
    "limits_of",
    "sufficient",
]
