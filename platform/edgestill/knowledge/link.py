"""How much of the wanted knowledge a link brings in time, and at which rate.

:func:`edgestill.codec.choose_rate` applies the same inequality to another question: of frames whose
bytes are known, which one arrives whole, or none. Here the frame is not made yet, and knowledge can
be cut short: where not even the lower rate brings all samples, the answer is how many it brings, at
worst none, and never an error. Of the two rates the whole one is taken only if nothing is cut; and
the deadline may be infinite.
"""

import math
from dataclasses import dataclass

from edgestill.knowledge.frames import SampleLayout

OVERHEAD_BYTES = 1024
"""At most, of a frame besides its samples: header, names and shapes of the columns, constants."""

WEIGHT_BYTES = 1
"""What a sample counts on the device, beside its record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkFit:
    """What is sent: so many samples, whole or at the lower rate."""

    samples: int
    lower_rate: bool


def fit_to_link(
    layout: SampleLayout,
    samples: int,
    *,
    bandwidth_bytes_per_s: float,
    deadline_s: float,
    compute_s: float = 0.0,
) -> LinkFit:
    """Return the largest rate at which all samples arrive in time; at the lower, as many as do.

    In time is bytes / bandwidth <= deadline - compute.

    Args:
        layout: of a sample.
        samples: wanted, at least 0.
        bandwidth_bytes_per_s: of the downlink, at least 0.
        deadline_s: may be infinite.
        compute_s: that the device needs before the deadline for all else.
    """
    left_s = max(0.0, deadline_s - compute_s)
    room_bytes = 0.0 if bandwidth_bytes_per_s <= 0.0 else bandwidth_bytes_per_s * left_s
    room_bytes = max(0.0, room_bytes - OVERHEAD_BYTES)
    if samples * (layout.record_bytes + WEIGHT_BYTES) <= room_bytes:
        return LinkFit(samples=samples, lower_rate=False)
    fitting = math.floor(room_bytes / (layout.coarse_bytes + WEIGHT_BYTES))
    return LinkFit(samples=min(samples, fitting), lower_rate=True)
