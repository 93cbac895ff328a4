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
    best_within,
    hypervolume,
    improved,
    point,
    try_all,
    try_architectures,
)
from edgestill.jobs.benchmarks.eccentric.part import Measurement, Part

INDEPENDENT, ADAPTIVE, DYNAMIC = "Independent", "Adaptive", "Dynamic"
SINGLES = (INDEPENDENT, ADAPTIVE)
CLAIMED = 0.288
"""A tenth less than the claims let be sent, of every input as JPEG."""

BUDGETS = (0.02, 0.05, 0.1, 0.2, CLAIMED, 0.5, 1.0)
"""Shares of every input as JPEG at which the architectures are set side by side."""

EDGE_BUDGET = 0.522
"""A tenth less than the claims let the device compute, of the larger model."""

CONFIDENCE = 0.95
"""That Dynamic leaves no simpler policy for one that leads on validation data by chance alone."""


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


def study(measured: Measurement, rule: Hardness) -> FrontStudy:
    """Return the fronts of a seed's models.

    Args:
        measured: what every way gives.
        rule: the gate of Independent and Adaptive.
    """
    validated = _validated(measured, rule)
    offered = {name: _offered(tried, measured) for name, tried in validated.items()}
    return FrontStudy(
        offered=offered,
        matched=_matched(offered),
        within={
            name: {share: _within(tried, measured, share) for share in BUDGETS}
            for name, tried in validated.items()
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


def _validated(measured: Measurement, rule: Hardness) -> dict[str, Tried]:
    """Return each architecture's operating points on validation data.

    Dynamic's are those of the single architectures, each with what it has in its place.
    """
    part = measured.validation
    inputs, features, every = try_architectures(part.answers, part.outcomes, rule)
    dynamic = improved(inputs.beside(features), every, confidence=CONFIDENCE)
    return {INDEPENDENT: inputs, ADAPTIVE: features, DYNAMIC: dynamic}


def _offered(tried: Tried, measured: Measurement) -> list[Offered]:
    tested = _points(tried.policies, measured.test)
    return [
        Offered(validated=one, tested=other)
        for one, other in zip(tried.points, tested, strict=True)
    ]


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
