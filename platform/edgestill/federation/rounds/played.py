"""What came of a round, however it was trained."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgestill.federation.aggregation.collect import Collected
from edgestill.federation.roster.participants import Participant


@dataclass(frozen=True, slots=True, kw_only=True)
class BufferFigures:
    """What the buffer of a server step was like.

    Attributes:
        updates: in it.
        arrivals: devices that came back since the step before, with an update or without.
        staleness_mean: of its updates, in server steps; 0 of an empty buffer.
        staleness_max: of its updates.
        under_way: devices that go on training beyond the step.
    """

    updates: int
    arrivals: int
    staleness_mean: float
    staleness_max: int
    under_way: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A round, trained but not yet entered in the books.

    Attributes:
        participants: whose participation ended in it, in order of device.
        class_counts: [K], public samples by class selected for those who started in it.
        duration_s: virtual seconds from its start to its end.
        buffer: of a buffered round.
    """

    participants: Sequence[Participant]
    collected: Collected
    class_counts: NDArray[np.int64]
    duration_s: float
    buffer: BufferFigures | None = None
