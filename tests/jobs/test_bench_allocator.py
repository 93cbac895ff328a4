"""The allocator's benchmark, on fleets small enough for a test."""

from dataclasses import replace

import pytest

from edgestill.allocation import GroupSignals, Snapshot
from edgestill.jobs.benchmarks import allocator, contest, decisions
from edgestill.jobs.benchmarks.contest import Contestant
from edgestill.jobs.benchmarks.scenario import Scenario

TINY = Scenario(
    devices=6, rounds=2, energy_j=3.0, seeds=(5,), samples_per_round=8, teacher_epochs=1
)


def row(energy_j, accuracy, late=0):
    return {"energy_j": energy_j, "accuracy": accuracy, "selected": 4, "late": late, "foretold": {}}


def outcome(*rows):
    return contest.outcome_of(TINY, Contestant(name="static-high", seed=5), rows)


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    folder = tmp_path_factory.mktemp("teacher")
    contest.teach_once(TINY, folder)
    return folder


def test_the_accuracy_is_that_of_the_last_round_within_the_energy():
    ended = outcome(row(1.0, 0.2, late=1), row(1.5, 0.4, late=3), row(1.0, 0.6))
    assert (ended.accuracy, ended.rounds_within, ended.accuracy_in_time) == (0.4, 2, 0.6)
    assert (ended.asked, ended.missed) == (12, 4)
    assert outcome(row(9.0, 0.5)).accuracy == 0.0


def test_contestants_differ_in_their_policy_alone():
    plain = [TINY.config(name, 5).model_dump() for name in contest.NAMES]
    for one in plain:
        del one["allocation"], one["name"]
    assert all(one == plain[0] for one in plain)


@pytest.mark.parametrize("name", ["random", "predictive"])
def test_a_run_ends_with_an_outcome(taught, name):
    ended = contest.compete(TINY, Contestant(name=name, seed=5), taught)
    assert len(ended.accuracies) == 2
    assert ended.asked > 0
    assert (ended.foretold_error is None) == (name == "random")


def test_lots_are_drawn_anew_each_round_and_the_same_under_a_seed():
    first, second = (contest.RandomChoice(seed=5) for _ in range(2))
    config = TINY.config("random", 5).allocation
    groups = {f"g{index}": GroupSignals() for index in range(8)}

    def levels(choose, number):
        snapshot = Snapshot(round_number=number, time_s=0.0, groups=groups)
        decision = choose(config, decisions.KINDS, snapshot, None)
        return [allocation.level for allocation in decision.allocations.values()]

    assert levels(first, 1) == levels(second, 1) != levels(first, 2)


def test_every_claim_is_judged_from_runs_of_every_policy():
    middling = outcome(row(1.0, 0.5, late=2), row(1.0, 0.5))
    ours = replace(middling, name="predictive", accuracy=0.53, missed=0)
    outcomes = [replace(middling, name=name) for name in contest.NAMES if name != "predictive"]
    taken = {"decide_100_groups_ms": 120.0, "choose_10000_groups_ms": 40.0}
    gaps = {"largest_ratio": 0.01, "mean_ratio": 0.001, "instances": 9}
    measured = allocator.judged(TINY, [*outcomes, ours], gaps, taken)
    assert [(claim.id, round(claim.value, 6), claim.holds) for claim in measured.claims] == [
        ("allocator_accuracy_gain", 0.03, True),
        ("allocator_deadline_misses_ratio", 0.0, True),
        ("allocator_gap_to_exact", 0.01, True),
        ("allocator_decision_ms_10k_devices", 120.0, False),
    ]
    assert [claim.target for claim in measured.claims] == [0.02, 0.1, 0.05, 100.0]
    assert measured.configuration["groups"][0]["name"] == "phones"


def test_decisions_are_timed_in_few_and_in_many_groups():
    taken = decisions.timings(repeats=1)
    assert {"decide_100_groups_ms", "choose_10000_groups_ms"} <= taken.keys()
    assert all(figure > 0 for figure in taken.values())


def test_the_fast_form_is_compared_on_instances_with_something_to_decide():
    menus = list(decisions.random_menus(20))
    assert {menu.limits_k.size for menu in menus} == {1, 2}
    assert (
        min(len(menu.values_go) for menu in menus) < 10 < max(len(menu.values_go) for menu in menus)
    )
