"""The resource allocator: from signals to what each group, and then each device, may spend."""

from edgestill.allocation.levels import Allocation, Level, allocation_of
from edgestill.allocation.policies import Decision, Memory, decide
from edgestill.allocation.refine import refine
from edgestill.allocation.rules import Readings, pressure
from edgestill.allocation.signals import (
    GroupSignals,
    MetricReader,
    RegistrySource,
    SignalSource,
    Snapshot,
)

__all__ = [
    "Allocation",
    "Decision",
    "GroupSignals",
    "Level",
    "Memory",
    "MetricReader",
    "Readings",
    "RegistrySource",
    "SignalSource",
    "Snapshot",
    "allocation_of",
    "decide",
    "pressure",
    "refine",
]
