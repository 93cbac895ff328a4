"""Where the three architectures can be run: chosen on validation data, judged on the test part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgestill.inference.gates import Hardness
from edgestill.inference.tradeoffs import (
    Outcomes,
    Point,
    Policy,
    Tried,
    adaptive,
    best_within,
    hypervolume,
    improved,
    independent,
    point,
    try_all,
    try_dynamic,
)
from edgestill.jobs.benchmarks.eccentric.part import Measurement, Part

INDEPENDENT, ADAPTIVE, DYNAMIC = "Independent", "Adaptive", "Dynamic"
SINGLES = (INDEPENDENT, ADAPTIVE)
OFFLOAD_RATES = tuple(np.linspace(0.0, 1.0, 21).tolist())
CLAIMED = 0.288
"""A tenth less than the claims let be sent, of every input as JPEG."""

BUDGETS = (0.02, 0.05, 0.1, 0.2, CLAIMED, 0.5, 1.0)
"""Shares of every input as JPEG at which the architectures are set side by side."""

EDGE_BUDGET = 0.522
"""A tenth less than the claims let the device compute, of the larger model."""

BEYOND_DOUBT = 3.0
"""Standard errors by which Dynamic must gain on validation data to leave a simpler policy.

With fewer, what one half of the validation data chose was at times worse on the other half."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """A single architecture's operating point, and Dynamic's that costs no more, on the test part.

    That it costs no more is by validation data.
    """

    architecture: str
    single: Point
    dynamic: Point


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """An operating point on validation data, by which it is chosen, and on the test part."""

    validated: Point
    tested: Point


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontStudy:
    """The three architectures of one seed, on the test part.

    Attributes:
        offered: by architecture, all its operating points; Dynamic's are those of the single
            architectures, each with what it has in its place.
        matched: every operating point of Independent and Adaptive with Dynamic's.
        within: by architecture and share of :data:`BUDGETS`, the most accurate point by validation
            that sends and computes no more by validation.
        hypervolumes: by architecture, of bytes, operations and errors, as a share of the box from
            nothing to all inputs sent whole with the edge's own errors.
    """

    offered: Mapping[str, Sequence[Offered]]
    matched: Sequence[Matched]
    within: Mapping[str, Mapping[float, Point]]
    hypervolumes: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Validated:
    """Policies on validation data.

    Attributes:
        singles: of Independent and of Adaptive.
        every: all that Dynamic can be.
        better: for each policy of ``singles`` the one that Dynamic has in its place.
    """

    singles: Mapping[str, Tried]
    every: Tried
    better: Mapping[str, Sequence[Policy]]


def study(measured: Measurement, rule: Hardness) -> FrontStudy:
    """Return the fronts of a seed's models.

    Args:
        measured: what every way gives.
        rule: the gate of Independent and Adaptive.
    """
    found = _validated(measured, rule)
    families = {**found.singles, DYNAMIC: found.every}
    offered = _offered(found, measured)
    return FrontStudy(
        offered=offered,
        matched=_matched(offered),
        within={
            name: {share: _within(tried, measured, share) for share in BUDGETS}
            for name, tried in families.items()
        },
        hypervolumes={
            name: covered([one.tested for one in points], measured.test.outcomes)
            for name, points in offered.items()
        },
    )


def covered(points: Sequence[Point], outcomes: Outcomes) -> float:
    """Return the volume that points cover, as a share of the box of :class:`FrontStudy`."""
    whole = outcomes.whole_input
    edge = point("edge", outcomes, np.zeros(len(whole.right), np.int64))
    everything = point("all", outcomes, np.full(len(whole.right), len(outcomes.ways) - 1))
    reference = np.array([everything.bytes_sent, everything.flops, 1.0 - edge.right])
    costs = np.array([(one.bytes_sent, one.flops, 1.0 - one.right) for one in points])
    return hypervolume(costs / reference, np.ones(3))


def _validated(measured: Measurement, rule: Hardness) -> _Validated:
    answers, outcomes = measured.validation.answers, measured.validation.outcomes
    singles: dict[str, Sequence[Policy]] = {
        INDEPENDENT: independent(answers, outcomes, rule, OFFLOAD_RATES),
        ADAPTIVE: adaptive(answers, outcomes, rule, OFFLOAD_RATES),
    }
    tried = {name: try_all(policies, answers, outcomes) for name, policies in singles.items()}
    # Of equals the first is taken: the simpler one.
    every = tried[INDEPENDENT].beside(tried[ADAPTIVE]).beside(try_dynamic(answers, outcomes))
    better = {
        name: improved(one, every, standard_errors=BEYOND_DOUBT) for name, one in tried.items()
    }
    return _Validated(singles=tried, every=every, better=better)


def _offered(found: _Validated, measured: Measurement) -> dict[str, list[Offered]]:
    """Return every operating point of each architecture."""
    policies = {name: tried.policies for name, tried in found.singles.items()}
    policies[DYNAMIC] = [policy for name in SINGLES for policy in found.better[name]]
    return {
        name: [
            Offered(validated=validated, tested=tested)
            for validated, tested in zip(
                _points(own, measured.validation), _points(own, measured.test), strict=True
            )
        ]
        for name, own in policies.items()
    }


def _matched(offered: Mapping[str, Sequence[Offered]]) -> list[Matched]:
    """Return the single architectures' points, each with Dynamic's that is in its place."""
    singles = [(name, one) for name in SINGLES for one in offered[name]]
    return [
        Matched(architecture=name, single=single.tested, dynamic=other.tested)
        for (name, single), other in zip(singles, offered[DYNAMIC], strict=True)
    ]


def _within(tried: Tried, measured: Measurement, share: float) -> Point:
    whole = measured.validation.outcomes.whole_input.bytes_sent.mean()
    policy = best_within(
        tried,
        most_bytes=share * float(whole),
        most_edge_flops=EDGE_BUDGET * measured.cloud_flops,
    )
    return _points([policy], measured.test)[0]


def _points(policies: Sequence[Policy], part: Part) -> list[Point]:
    return list(try_all(policies, part.answers, part.outcomes).points)
