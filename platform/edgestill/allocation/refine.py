"""The device's own word: its group's allocation, lowered by its own vitals."""

from dataclasses import replace

from edgestill.allocation.levels import Allocation, Level, allocation_of
from edgestill.allocation.rules import Readings, rules
from edgestill.allocation.threshold import asked
from edgestill.config import AllocationConfig


def refine(allocation: Allocation, vitals: Readings, config: AllocationConfig) -> Allocation:
    """Return the lower of the group's allocation and what the device's own vitals ask for.

    The same thresholds as the group's, without memory, on the device. A lower level keeps no kind
    that the group does not have. Under the ``static`` policy, and without a reading, the group's
    allocation holds.
    """
    if config.policy == "static":
        return allocation
    wanted = asked(rules(config.thresholds), vitals)
    if wanted is None or wanted[0] >= allocation.level:
        return allocation
    return lowered(allocation, wanted[0], config)


def lowered(allocation: Allocation, level: Level, config: AllocationConfig) -> Allocation:
    """Return what a lower level lets a device spend, in nothing more than the allocation does.

    The allocator may have given fewer epochs or bits than its level has.
    """
    less = allocation_of(config.levels, level, tuple(allocation.modalities))
    return replace(
        less,
        epochs=min(less.epochs, allocation.epochs),
        bits=min(less.bits, allocation.bits),
    )
