"""The device's own word: its group's allocation, lowered by its own vitals."""

from edgestill.allocation.levels import Allocation, allocation_of
from edgestill.allocation.policies import asked
from edgestill.allocation.rules import Readings, rules
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
    return allocation_of(config.levels, wanted[0], tuple(allocation.modalities))
