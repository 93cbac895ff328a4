"""The resource allocator: from signals to what each group, and then each device, may spend."""

from edgestill.allocation.decide import decide
from edgestill.allocation.decision import Decision
from edgestill.allocation.experience import Experience
from edgestill.allocation.expressions import check_expressions
from edgestill.allocation.forecast import Forecasts, Menu, menu_of, options_of
from edgestill.allocation.group_model import Observed
from edgestill.allocation.knapsack import choose, fits, value_of
from edgestill.allocation.levels import Allocation, Level, allocation_of
from edgestill.allocation.refine import lowered, refine
from edgestill.allocation.rules import Readings, pressure
from edgestill.allocation.scaling import PoolBounds, PoolDecision, PoolSignals, cohort_bounds, scale
from edgestill.allocation.signals import Fault, GroupSignals, SignalSource, Snapshot, group_signals
from edgestill.allocation.sources import (
    MetricReader,
    PrometheusSource,
    RegistrySource,
    prometheus_server,
)
from edgestill.allocation.trust import STATES, Memory, State, Trust, judge
from edgestill.allocation.worth import epoch_gain, level_fidelity, precision

__all__ = [
    "STATES",
    "Allocation",
    "Decision",
    "Experience",
    "Fault",
    "Forecasts",
    "GroupSignals",
    "Level",
    "Memory",
    "Menu",
    "MetricReader",
    "Observed",
    "PoolBounds",
    "PoolDecision",
    "PoolSignals",
    "PrometheusSource",
    "Readings",
    "RegistrySource",
    "SignalSource",
    "Snapshot",
    "State",
    "Trust",
    "allocation_of",
    "check_expressions",
    "choose",
    "cohort_bounds",
    "decide",
    "epoch_gain",
    "fits",
    "group_signals",
    "judge",
    "level_fidelity",
    "lowered",
    "menu_of",
    "options_of",
    "precision",
    "pressure",
    "prometheus_server",
    "refine",
    "scale",
    "value_of",
]
