"""The policies that decide from forecasts: priority and predictive."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgestill.allocation import (
    Decision,
    Forecasts,
    GroupSignals,
    Level,
    Snapshot,
    decide,
    options_of,
)
from edgestill.config import AllocationConfig, BudgetConfig

KINDS = ("visual", "audio", "sensor")
OPTIONS = options_of(AllocationConfig().levels, KINDS)
CALM = GroupSignals(cpu_ratio=0.1, free_memory_bytes=1e9, battery_ratio=1.0, temperature_c=25.0)
POLICIES = ("priority", "predictive")


def forecasts(groups=3, *, seed=0, slow=()):
    """Groups of ten devices, whose better options cost and bring more; ``slow`` ones are late."""
    rng = np.random.default_rng(seed)
    work = np.array([len(o.modalities) * o.width * o.epochs * (1 + o.bits / 16) for o in OPTIONS])
    duration = work * rng.uniform(0.5, 2.0, (groups, 1))
    in_time = np.ones_like(duration)
    for group in slow:
        in_time[group] = [0.1 if o.level > Level.LOW else 1.0 for o in OPTIONS]
    return Forecasts(
        groups=tuple(f"g{index}" for index in range(groups)),
        options=OPTIONS,
        devices_g=np.full(groups, 10.0),
        duration_s_go=duration,
        in_time_ratio_go=in_time,
        energy_j_go=duration * rng.uniform(0.5, 2.0, (groups, 1)),
        uplink_bytes_go=np.tile(1000.0 * work, (groups, 1)),
        gain_go=np.sqrt(work) * rng.uniform(0.5, 2.0, (groups, 1)),
    )


def step(policy, seen, *, energy_j=None, uplink_bytes=None, signals=None, previous=None):
    config = AllocationConfig(
        policy=policy, budget=BudgetConfig(energy_j=energy_j, uplink_bytes=uplink_bytes)
    )
    groups = dict.fromkeys(seen.groups, CALM) | (signals or {})
    snapshot = Snapshot(round_number=1, time_s=0.0, groups=groups, forecasts=seen)
    return decide(config, KINDS, snapshot, previous)


def spent_j(seen, decision):
    total = 0.0
    for index, group in enumerate(seen.groups):
        chosen = decision.allocations[group]
        option = [one.key for one in seen.options].index(chosen.key)
        total += 10.0 * chosen.participation * seen.energy_j_go[index, option]
    return total


def ladder_j(seen):
    """What the fleet takes at the least level and at the best."""
    first, last = (
        [o.level for o in OPTIONS].index(level) for level in (Level.HIGH, Level.CRITICAL)
    )
    asked = 10.0 * np.array([o.participation for o in OPTIONS])
    return (seen.energy_j_go * asked)[:, last].sum(), (seen.energy_j_go * asked)[:, first].sum()


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(POLICIES), st.integers(1, 12), st.integers(0, 999), st.floats(0.0, 1.3))
def test_a_budget_that_the_least_keeps_is_never_exceeded(policy, groups, seed, share):
    seen = forecasts(groups, seed=seed)
    least, most = ladder_j(seen)
    budget_j = (least + share * (most - least)) * (1 + 1e-9)
    decision = step(policy, seen, energy_j=budget_j)
    assert spent_j(seen, decision) <= budget_j * (1 + 1e-9)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(0, 999), st.floats(0.0, 1.0), st.floats(0.0, 0.5))
def test_priority_lowers_nobody_when_the_budget_grows(groups, seed, share, more):
    seen = forecasts(groups, seed=seed)
    least, most = ladder_j(seen)
    poor, rich = (
        step("priority", seen, energy_j=least + part * (most - least) + 1e-6)
        for part in (share, share + more)
    )
    for group in seen.groups:
        assert rich.allocations[group].level >= poor.allocations[group].level


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 12), st.integers(0, 999), st.floats(0.0, 1.0))
def test_priority_gives_nobody_a_second_modality_before_all_have_the_critical_one_whole(
    groups, seed, share
):
    seen = forecasts(groups, seed=seed)
    least, most = ladder_j(seen)
    decision = step("priority", seen, energy_j=least + share * (most - least) + 1e-6)
    levels = [allocation.level for allocation in decision.allocations.values()]
    assert all("visual" in one.modalities for one in decision.allocations.values())
    if any(level > Level.LOW for level in levels):
        assert min(levels) >= Level.LOW


@pytest.mark.parametrize("policy", POLICIES)
def test_without_a_budget_everyone_gets_what_its_signals_and_the_deadline_allow(policy):
    hot = {"g1": replace(CALM, cpu_ratio=0.5)}
    decision = step(policy, forecasts(slow=(2,)), signals=hot)
    levels = [decision.allocations[f"g{index}"].level for index in range(3)]
    assert levels == [Level.HIGH, Level.MEDIUM, Level.LOW]
    assert "all signals within bounds" in decision.reasons["g0"]
    assert "cpu 0.50 above 0.40" in decision.reasons["g1"]
    assert "miss the deadline" in decision.reasons["g2"]
    assert decision.foretold["g2"]["in_time_ratio"] == 1.0


@pytest.mark.parametrize("policy", POLICIES)
def test_a_budget_is_named_as_the_reason_and_one_that_cannot_be_kept_is_too(policy):
    seen = forecasts()
    least, most = ladder_j(seen)
    scarce = step(policy, seen, energy_j=(least + most) / 4)
    assert any("of the budget" in reason for reason in scarce.reasons.values())
    beyond = step(policy, seen, energy_j=1e-6)
    assert all("budget exceeded even so" in reason for reason in beyond.reasons.values())


def test_predictive_brings_no_less_than_priority_from_the_same_budget():
    seen = forecasts(6, seed=4)
    least, most = ladder_j(seen)
    worth = []
    for policy in POLICIES:
        decision = step(policy, seen, energy_j=least + 0.3 * (most - least))
        options = [
            [one.key for one in OPTIONS].index(decision.allocations[group].key)
            for group in seen.groups
        ]
        asked = np.sqrt([OPTIONS[option].participation for option in options])
        worth.append(float((seen.gain_go[np.arange(6), options] * asked).sum()))
    assert worth[1] >= worth[0]


@pytest.mark.parametrize("policy", POLICIES)
def test_a_group_in_doubt_keeps_its_allocation_and_then_is_safe(policy):
    seen = forecasts()
    least, most = ladder_j(seen)
    decision = step(policy, seen, energy_j=least + 0.4 * (most - least))
    before = decision.allocations["g0"]
    silent = {"g0": GroupSignals()}
    for _ in range(2):
        decision = step(policy, seen, signals=silent, previous=decision)
        assert decision.allocations["g0"] == before
        assert decision.states["g0"] == "held"
    decision = step(policy, seen, signals=silent, previous=decision)
    assert decision.states["g0"] == "safe"
    assert decision.allocations["g0"].level is Level.CRITICAL


def test_an_overdrawn_account_is_settled_within_bounds():
    seen = forecasts()
    least, most = ladder_j(seen)
    usual = least + 0.5 * (most - least)
    overdrawn = replace(seen, saved_k=np.array([0.0, -10.0 * usual]))
    rich = replace(seen, saved_k=np.array([0.0, 10.0 * usual]))
    spent = [
        spent_j(one, step("predictive", one, energy_j=usual)) for one in (overdrawn, seen, rich)
    ]
    assert spent[0] <= 0.5 * usual < spent[1] <= usual < spent[2] <= 1.5 * usual


def test_a_decision_survives_json():
    decision = step("predictive", forecasts(), energy_j=100.0)
    assert Decision.from_plain(json.loads(json.dumps(decision.to_plain()))) == decision


def test_options_are_unlike_and_begin_with_a_level_whole():
    assert len({option.key for option in OPTIONS}) == len(OPTIONS)
    firsts = {o.level: o for o in reversed(OPTIONS)}
    levels = AllocationConfig().levels
    for level, first in firsts.items():
        whole = getattr(levels, level.value)
        assert (first.epochs, first.bits, first.participation) == (
            whole.epochs,
            whole.bits,
            whole.participation,
        )
