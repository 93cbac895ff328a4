"""The deadline-aware gate: what is hard goes by the best way whose answer comes back in time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgestill.inference.gates import Hardness, Link, curve, for_offload_rate, in_time
from edgestill.inference.tradeoffs import Choice, Outcomes, point
from edgestill.jobs.benchmarks.eccentric.part import Measurement, Part

BANDWIDTHS_BYTES_PER_S = (10_000, 25_000, 50_000, 100_000, 1_000_000)
DEADLINE_S, ROUND_TRIP_S, CLOUD_S = 0.030, 0.010, 0.005
HARD = 0.5
"""Share of the inputs that the gate would hand on if all came back in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InTime:
    """What two architectures reach within the deadline over one link, on the test part.

    Attributes:
        bandwidth_bytes_per_s: of the uplink.
        input_only, any_way: accuracy if hard inputs may go whole, or by any way, best first.
        input_only_rate, any_way_rate: share of the inputs handed on.
    """

    bandwidth_bytes_per_s: int
    input_only: float
    input_only_rate: float
    any_way: float
    any_way_rate: float


def study(measured: Measurement, rule: Hardness) -> list[InTime]:
    """Return a row for each link; the gate's threshold and the order of ways are validation's."""
    validation, test = measured.validation, measured.test
    found = curve(
        rule(validation.answers),
        validation.outcomes.edge.right,
        validation.outcomes.whole_input.right,
    )
    hard = rule(test.answers) > for_offload_rate(found, HARD)
    last = len(test.outcomes.ways) - 1
    return [
        _row(bandwidth, test, hard, (last,), best_first(validation.outcomes))
        for bandwidth in BANDWIDTHS_BYTES_PER_S
    ]


def best_first(outcomes: Outcomes) -> list[int]:
    """Return the places of the ways that send, the most accurate first."""
    count = len(outcomes.edge.right)
    scores = {
        place: point("", outcomes, np.full(count, place)).right
        for place in range(1, len(outcomes.ways))
    }
    return sorted(scores, key=lambda place: -scores[place])


def _row(
    bandwidth: int, test: Part, hard: NDArray[np.bool_], whole: Sequence[int], every: Sequence[int]
) -> InTime:
    link = Link(bandwidth_bytes_per_s=bandwidth, round_trip_s=ROUND_TRIP_S, cloud_s=CLOUD_S)
    one, other = (
        point("", test.outcomes, _chosen(test.outcomes, hard, link, places))
        for places in (whole, every)
    )
    return InTime(
        bandwidth_bytes_per_s=bandwidth,
        input_only=one.right,
        input_only_rate=one.offload_rate,
        any_way=other.right,
        any_way_rate=other.offload_rate,
    )


def _chosen(
    outcomes: Outcomes, hard: NDArray[np.bool_], link: Link, places: Sequence[int]
) -> Choice:
    """Return for each hard input the first of the ways that is in time, else the edge."""
    chosen = np.zeros(len(hard), np.int64)
    for place in reversed(places):
        sent = outcomes.ways[place].bytes_sent
        timely = np.array([in_time(link, size, DEADLINE_S) for size in sent.tolist()])
        chosen[hard & timely] = place
    return chosen
