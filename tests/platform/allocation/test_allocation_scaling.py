"""The pool's policy: bounds, cool-down, free CPUs, and no oscillation under a constant load."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgestill.allocation.scaling import (
    PoolBounds,
    PoolDecision,
    PoolSignals,
    cohort_bounds,
    scale,
)
from edgestill.config import EngineConfig

BOUNDS = PoolBounds(least=1, most=4, cool_down_s=10.0)
CALM = PoolSignals(tier="cohort", actors=2, queue_per_actor=5.0, free_cpus=2, wall_s=100.0)


@pytest.mark.parametrize(
    ("change", "action", "why"),
    [
        ({}, "keep", "5.0 in the queue per actor"),
        ({"queue_per_actor": 9.0}, "grow", "9.0 in the queue per actor, above 8"),
        ({"queue_per_actor": 9.0, "actors": 4}, "keep", "4 actors are the most"),
        ({"queue_per_actor": 9.0, "free_cpus": 0}, "keep", "no CPU is free"),
        ({"queue_per_actor": 0.5}, "shrink", "0.5 in the queue per actor"),
        ({"queue_per_actor": 0.0, "actors": 1}, "keep", "0.0 in the queue per actor"),
        (
            {"queue_per_actor": 9.0, "cpus": 2.0, "other_cpu_ratio": 0.5},
            "shrink",
            "others leave 1.0 CPUs for 2 actors",
        ),
        (
            {"queue_per_actor": 9.0, "cpus": 4.0, "other_cpu_ratio": 0.4},
            "keep",
            "others leave 2.4 CPUs for 2 actors",
        ),
        (
            {"queue_per_actor": 9.0, "cpus": 4.0, "other_cpu_ratio": 0.1},
            "grow",
            "9.0 in the queue per actor, above 8",
        ),
    ],
)
def test_a_rule_and_its_reason(change, action, why):
    decision = scale(BOUNDS, replace(CALM, **change))
    assert decision.action == action
    assert why in decision.reason
    assert decision.tier == "cohort"


def test_after_a_change_the_pool_rests():
    busy = replace(CALM, queue_per_actor=20.0)
    first = scale(BOUNDS, busy)
    assert (first.actors, first.changed_s) == (3, 100.0)
    still = scale(BOUNDS, replace(busy, actors=3, wall_s=109.0), first)
    assert (still.actors, still.action, still.changed_s) == (3, "keep", 100.0)
    assert "at rest for 1.0 s more; then grow" in still.reason
    assert scale(BOUNDS, replace(busy, actors=3, wall_s=110.0), still).actors == 4


def test_a_pool_without_bounds_is_fixed():
    bounds = cohort_bounds(EngineConfig(), 3)
    assert (bounds.least, bounds.most) == (3, 3)
    for queue in (0.0, 1e6):
        signals = replace(CALM, actors=3, queue_per_actor=queue, cpus=8.0, other_cpu_ratio=1.0)
        assert scale(bounds, signals).action == "keep"


def test_given_bounds_are_kept():
    config = EngineConfig(cohorts=2, cohorts_min=1, cohorts_max=5, cool_down_s=3.0)
    assert cohort_bounds(config, 2) == PoolBounds(least=1, most=5, cool_down_s=3.0)


@st.composite
def bounds(draw):
    least = draw(st.integers(1, 8))
    return PoolBounds(
        least=least,
        most=draw(st.integers(least, 12)),
        cool_down_s=draw(st.floats(0.0, 60.0)),
    )


moments = st.tuples(
    st.floats(0.0, 500.0),  # pieces of work in all
    st.integers(0, 12),  # CPUs that the scheduler has free
    st.none() | st.floats(0.0, 1.0),  # share of the CPUs that others use
    st.floats(0.0, 20.0),  # seconds until the next look
)


@given(bounds(), st.data(), st.lists(moments, min_size=1, max_size=40))
def test_any_load_keeps_bounds_rest_and_free_cpus(limits, data, load):
    actors = data.draw(st.integers(limits.least, limits.most))
    previous: PoolDecision | None = None
    wall_s, changes = 0.0, []
    for work, free_cpus, others, pause_s in load:
        signals = PoolSignals(
            tier="cohort",
            actors=actors,
            queue_per_actor=work / actors,
            free_cpus=free_cpus,
            cpus=8.0,
            other_cpu_ratio=others,
            wall_s=wall_s,
        )
        previous = scale(limits, signals, previous)
        assert limits.least <= previous.actors <= limits.most
        assert previous.actors - actors <= min(1, free_cpus)
        assert actors - previous.actors <= 1
        assert previous.reason
        if previous.actors != actors:
            changes.append(wall_s)
        actors = previous.actors
        wall_s += pause_s
    rests = [after - before for before, after in pairwise(changes)]
    assert all(rest >= limits.cool_down_s - 1e-6 for rest in rests)


@given(
    bounds(),
    st.data(),
    st.floats(0.0, 500.0),
    st.integers(1, 16),
    st.floats(0.0, 16.0),
    st.integers(0, 12),
)
def test_a_constant_load_settles_without_turning_back(
    limits, data, work, cpus, others_want, ray_cpus
):
    """Others want the same CPUs all the time and share them fairly with the actors."""
    actors = data.draw(st.integers(limits.least, limits.most))
    held = actors
    previous: PoolDecision | None = None
    directions = []
    for look in range(40):
        share = min(1.0, cpus / (actors + others_want))
        signals = PoolSignals(
            tier="cohort",
            actors=actors,
            queue_per_actor=work / actors,
            free_cpus=max(0, held + ray_cpus - actors),
            cpus=float(cpus),
            other_cpu_ratio=others_want * share / cpus,
            wall_s=look * 61.0,
        )
        previous = scale(limits, signals, previous)
        if previous.actors != actors:
            directions.append(previous.action)
        actors = previous.actors
    assert len(set(directions)) <= 1
    assert previous is not None
    assert previous.action == "keep"
