"""A device behind links of given rates: what it sends, who answers, how long that takes."""

import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgestill.jobs.benchmarks.serving.amount import Amount
from edgestill.jobs.benchmarks.serving.contest import percentile
from edgestill.jobs.benchmarks.serving.devices import Asked, Devices, Order
from edgestill.jobs.benchmarks.serving.slow_link import SlowLink

INPUTS_PER_S = 10.0
EXPECTED_BYTES_PER_S = 100e3
"""What the device believes of its link before it has seen it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverLink:
    """What one device met over one link within one deadline.

    Attributes:
        bytes_per_s: of the uplink.
        deadline_s: from an input to its answer.
        inputs: that were asked about.
        by_cloud: share that the cloud answered, 0..1.
        by_cloud_in_time: share that it answered within the deadline.
        late: answers beyond the deadline, whoever gave them.
        p50_ms, p99_ms: of all answers.
        rates: how often each rate was sent.
        reasons: how often each reason came.
        sent_bytes: median of an answered frame; 0 if none was.
    """

    bytes_per_s: float
    deadline_s: float
    inputs: int
    by_cloud: float
    by_cloud_in_time: float
    late: int
    p50_ms: float
    p99_ms: float
    rates: dict[int, int]
    reasons: dict[str, int]
    sent_bytes: float


def over_links(
    port: int, devices: Devices, amount: Amount, told: Callable[[str], None]
) -> list[OverLink]:
    """Return what a device meets over each link within each deadline."""
    found = []
    for bytes_per_s in amount.links_bytes_per_s:
        for deadline_s in amount.deadlines_s:
            told(f"link of {bytes_per_s / 1e3:g} kB/s")
            with SlowLink(port, bytes_per_s) as link:
                order = Order(
                    port=link.port,
                    inputs=amount.inputs_per_link,
                    per_s=INPUTS_PER_S,
                    deadline_s=deadline_s,
                    bandwidth_bytes_per_s=EXPECTED_BYTES_PER_S,
                )
                devices.begin(order)
                asked = devices.finish()
            found.append(summed(asked, bytes_per_s=bytes_per_s, deadline_s=deadline_s))
    return found


def summed(asked: Sequence[Asked], *, bytes_per_s: float, deadline_s: float) -> OverLink:
    """Return the figures of answers, at least one."""
    taken_ms = sorted(1e3 * one.elapsed_s for one in asked)
    came = [one for one in asked if one.by != "edge"]
    in_time = sum(one.elapsed_s <= deadline_s for one in came)
    return OverLink(
        bytes_per_s=bytes_per_s,
        deadline_s=deadline_s,
        inputs=len(asked),
        by_cloud=len(came) / len(asked),
        by_cloud_in_time=in_time / len(asked),
        late=sum(one.elapsed_s > deadline_s for one in asked),
        p50_ms=percentile(taken_ms, 0.5),
        p99_ms=percentile(taken_ms, 0.99),
        rates=dict(sorted(Counter(one.rate for one in asked if one.rate is not None).items())),
        reasons=dict(Counter(one.reason for one in asked).most_common()),
        sent_bytes=statistics.median([one.bytes_sent for one in came] or [0]),
    )
