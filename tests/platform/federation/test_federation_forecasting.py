"""Forecasts in a running federation: they come true, budgets are kept, runs can be resumed."""

import numpy as np
import pytest

from edgestill.allocation import Experience, GroupSignals, Level
from edgestill.federation.coordination.forecasting import Forecaster
from edgestill.federation.roster.members import Member
from edgestill.federation.world import world_of

PREDICTIVE = {"policy": "predictive"}


@pytest.fixture
def forecaster(plain_config, source_of):
    config = plain_config(allocation=PREDICTIVE, federation={"deadline_s": 0.2})
    world = world_of(config)
    members = {
        device: Member(node_id=device + 2, examples=len(rows), summary=None, summary_bytes=0)
        for device, rows in enumerate(world.owned)
    }
    return Forecaster(world, source_of(config), members)


def test_load_and_heat_make_a_group_slower_and_less_often_in_time(forecaster):
    calm = forecaster.foretell({}, Experience.first())
    busy = {group: GroupSignals(cpu_ratio=0.9, temperature_c=99.0) for group in calm.groups}
    loaded = forecaster.foretell(busy, Experience.first())
    assert (loaded.duration_s_go > calm.duration_s_go).all()
    assert (loaded.in_time_ratio_go <= calm.in_time_ratio_go).all()
    assert loaded.in_time_ratio_go.min() < 0.5 < calm.in_time_ratio_go.max()


def test_a_higher_level_takes_more_and_brings_more(forecaster):
    seen = forecaster.foretell({}, Experience.first())
    whole = [[o.level for o in seen.options].index(level) for level in Level]
    for figures in (seen.duration_s_go, seen.energy_j_go, seen.uplink_bytes_go, seen.gain_go):
        assert (np.diff(figures[:, whole]) < 0).all()


def test_what_was_foretold_comes_true_after_a_few_rounds(federate, plain_config):
    walk = {"kind": "walk", "low": 0.3, "high": 0.6, "step_s": 6000.0}
    groups = [{"name": "phones", "profile": "phone", "link": walk}]
    run = federate(
        plain_config(allocation=PREDICTIVE, federation={"rounds": 5}, fleet={"groups": groups})
    )
    first, last = (run.rows[index]["foretold"]["phones"] for index in (0, -1))
    assert first["seen_duration_s"] > 1.3 * first["duration_s"]
    assert last["seen_duration_s"] == pytest.approx(last["duration_s"], rel=0.1)
    assert last["seen_energy_j"] == pytest.approx(last["energy_j"], rel=0.1)


def test_a_budget_of_joules_is_kept_over_the_rounds(federate, plain_config):
    free = federate(plain_config(allocation=PREDICTIVE, federation={"rounds": 1}))
    budget_j = free.rows[0]["energy_j"] / 3
    allocation = {**PREDICTIVE, "budget": {"energy_j": budget_j}}
    run = federate(plain_config(allocation=allocation, federation={"rounds": 6}))
    assert sum(row["energy_j"] for row in run.rows) <= 1.1 * 6 * budget_j
    assert any("of the budget" in text for text in run.rows[-1]["reasons"].values())


@pytest.mark.parametrize("policy", ["priority", "predictive"])
def test_a_resumed_run_decides_the_same(federate, plain_config, tmp_path, policy):
    allocation = {"policy": policy, "budget": {"energy_j": 2.0}}
    config = plain_config(allocation=allocation, federation={"rounds": 4, "deadline_s": 2.0})
    whole = federate(config, folder=tmp_path)
    again = federate(config, folder=tmp_path, resume=True, at_most=2)
    for row, other in zip(whole.rows, again.rows, strict=True):
        assert row["reasons"] == other["reasons"]
        assert row["foretold"] == other["foretold"]
        assert row["accuracy"] == other["accuracy"]
    assert again.state.experience.to_plain() == whole.state.experience.to_plain()


def test_other_policies_foretell_nothing(federate, plain_config):
    run = federate(plain_config(federation={"rounds": 1}))
    assert run.rows[0]["foretold"] == {}
