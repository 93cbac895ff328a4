"""Which rate of a codec a link bears: the most bytes that arrive before the deadline."""

import math
from collections.abc import Sequence

from edgestill.errors import RateError


def choose_rate(
    bytes_by_rate: Sequence[int],
    *,
    bandwidth_bytes_per_s: float,
    deadline_s: float,
    compute_s: float,
) -> int:
    """Return the rate with the most bytes for which bytes / bandwidth <= deadline - compute.

    The rule of SFD (Chen et al., IEEE TMC 2025), whose compressor adapts to the link. Of rates with
    equal bytes the highest is taken.

    Args:
        bytes_by_rate: bytes of the request's frame at rate 0, 1, ...; header included.
        bandwidth_bytes_per_s: of the link, now; 0 if it is down.
        deadline_s: from the request's start to its answer.
        compute_s: of the deadline, what the two ends compute.

    Raises:
        ValueError: no rates, or a figure that is negative or not finite.
        RateError: no rate fits; the caller then answers on the device, or not at all.
    """
    figures = (*bytes_by_rate, bandwidth_bytes_per_s, deadline_s, compute_s)
    if not bytes_by_rate or not all(math.isfinite(one) and one >= 0 for one in figures):
        raise ValueError(
            f"rates {list(bytes_by_rate)}, bandwidth {bandwidth_bytes_per_s} bytes/s, deadline "
            f"{deadline_s} s and compute {compute_s} s must be given, finite and not negative"
        )
    left_s = deadline_s - compute_s
    fitting = [
        (size, rate)
        for rate, size in enumerate(bytes_by_rate)
        # As a product, since the bandwidth may be 0.
        if left_s >= 0 and size <= left_s * bandwidth_bytes_per_s
    ]
    if not fitting:
        raise RateError(
            f"no rate fits: the smallest has {min(bytes_by_rate)} bytes, and the link bears "
            f"{bandwidth_bytes_per_s:g} bytes/s for {left_s:g} s"
        )
    return max(fitting)[1]
