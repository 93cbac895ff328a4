import json

import numpy as np
import pytest

from edgestill.federation import world_of
from edgestill.jobs.benchmarks.sfd.leaks import Leaks
from edgestill.jobs.benchmarks.sfd.measure import tasks_of
from edgestill.jobs.benchmarks.sfd.people import people_of
from edgestill.jobs.benchmarks.sfd.points import Outcome, Point
from edgestill.jobs.benchmarks.sfd.scenario import COMPARED, POLICIES, scenarios, seeds_of
from edgestill.jobs.benchmarks.sfd.students import Deck
from edgestill.jobs.benchmarks.sfd.verdict import judged

FIELD = scenarios(quick=False)
SEEDS = seeds_of(quick=False)
BASE = {"relevance": 0.8, "random": 0.7, "reversed": 0.6, "all": 0.75, "none": 0.5}


def outcome_of(point, accuracy=None):
    accuracy = BASE[point.policy] + 0.001 * point.seed if accuracy is None else accuracy
    return Outcome(
        point=point,
        accuracy=accuracy,
        test_accuracy=0.5,
        received_bytes=1e6 * point.share,
        membership_auc=None if point.together else 0.6,
    )


def leaks_of(dataset, seed, *, auc=0.51, summary_db=11.0):
    return Leaks(
        dataset=dataset,
        seed=seed,
        psnr_db={"features": 14.0, "summary": summary_db},
        blind_psnr_db=11.0,
        summary_epsilon=4.7,
        training_epsilon=4.5,
        auc={"plain": 0.7, "private": auc},
        accuracy={"plain": 0.7, "private": 0.6},
    )


def verdict(change=lambda point: None, **leaks):
    points = [one for one in tasks_of(FIELD, SEEDS) if isinstance(one, Point)]
    found = [outcome_of(one, change(one)) for one in points]
    told = [leaks_of(one.dataset, seed, **leaks) for one in FIELD for seed in SEEDS]
    return judged(FIELD, SEEDS, {"affect": 0.85, "av_digits": 0.95}, found, told)


def claims_of(measured):
    return {claim.id: claim for claim in measured.claims}


def test_every_policy_is_measured_at_every_budget_and_both_ways():
    points = [one for one in tasks_of(FIELD, SEEDS) if isinstance(one, Point)]
    for scenario in FIELD:
        own = [one for one in points if one.scenario is scenario and one.seed == SEEDS[0]]
        plain = {(p.policy, p.share) for p in own if not (p.together or p.lower_rate)}
        budgets = {(one, share) for one in POLICIES for share in scenario.shares}
        assert budgets | {("all", 1.0), ("none", 0.0)} <= plain
        assert {p.policy for p in own if p.together} == set(BASE)
        assert set(COMPARED) <= set(scenario.shares)


def test_the_claims_hold_where_relevance_wins_and_nothing_leaks():
    claims = claims_of(verdict())
    assert claims["sfd_relevance_gain"].value == pytest.approx(0.1)
    assert claims["sfd_relevance_vs_reversed"].value == pytest.approx(0.2)
    assert claims["sfd_inversion_psnr_drop_db"].value == pytest.approx(3.0)
    assert claims["sfd_membership_auc"].value == pytest.approx(0.51)
    assert "epsilon 4.5" in claims["sfd_membership_auc"].unit
    assert all(claim.holds for claim in claims.values())


def test_one_dataset_where_random_wins_is_enough_to_fail():
    def change(point):
        lost = point.scenario.dataset == "affect" and point.policy == "random"
        return 0.9 if lost and point.share == COMPARED[1] else None

    claims = claims_of(verdict(change))
    assert not claims["sfd_relevance_gain"].holds
    assert claims["sfd_relevance_vs_reversed"].holds


def test_one_budget_where_reversed_wins_is_enough_to_fail():
    def change(point):
        return 0.95 if (point.policy, point.share) == ("reversed", 0.125) else None

    assert not claims_of(verdict(change))["sfd_relevance_vs_reversed"].holds


def test_an_attack_that_succeeds_is_told():
    claims = claims_of(verdict(auc=0.6, summary_db=14.5))
    assert not claims["sfd_membership_auc"].holds
    assert not claims["sfd_inversion_psnr_drop_db"].holds


def test_what_is_written_is_plain_and_what_is_drawn_has_values():
    measured = verdict()
    json.dumps([measured.configuration, measured.results], allow_nan=False)
    for chart in measured.charts:
        assert chart.series
        for series in chart.series:
            assert len(series.x) == len(series.y) == len(series.low) == len(series.high)
            assert all(value is not None for value in series.y)
    assert all(len(row) == len(one.columns) for one in measured.tables for row in one.rows)


def test_a_single_seed_has_no_interval():
    field = scenarios(quick=True)
    tasks = tasks_of(field, (21,))
    found = [outcome_of(one) for one in tasks if isinstance(one, Point)]
    told = [leaks_of(one.dataset, 21) for one in field]
    measured = judged(field, (21,), {}, found, told)
    assert all(one.low is None for chart in measured.charts for one in chart.series)


@pytest.mark.parametrize("scenario", FIELD, ids=lambda one: one.dataset)
def test_nobody_is_tested_on_what_anybody_trains_on(scenario):
    world = world_of(scenario.config(SEEDS[0]))
    people = people_of(world, scenario.devices, scenario.own)
    dataset = world.dataset
    trained = np.concatenate([one.own for one in people])
    assert len(people) == scenario.devices
    assert len(np.unique(trained)) == len(trained) == scenario.devices * scenario.own
    for one in people:
        assert not np.intersect1d(trained, one.tested).size
        assert not np.intersect1d(trained, one.unseen).size
        assert one.weights.sum() == pytest.approx(1.0)
        mix = np.bincount(dataset.labels[one.own], minlength=dataset.classes) / scenario.own
        tested = np.bincount(dataset.labels[one.tested], one.weights, dataset.classes)
        if scenario.dataset == "affect":
            assert len(np.unique(dataset.users[np.concatenate([one.own, one.tested])])) == 1
        else:
            np.testing.assert_allclose(tested, mix, atol=1e-9)
            np.testing.assert_array_equal(dataset.labels[one.unseen], dataset.labels[one.own])


def test_a_deck_deals_everything_before_it_deals_anything_twice():
    deck = Deck(10, np.random.default_rng(0))
    dealt = np.concatenate([deck.deal(7), deck.deal(7), deck.deal(6)])
    assert sorted(dealt[:10]) == sorted(dealt[10:]) == list(range(10))
