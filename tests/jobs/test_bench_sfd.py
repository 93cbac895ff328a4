import json
from dataclasses import replace

import numpy as np
import pytest

from edgestill.federation import world_of
from edgestill.jobs.benchmarks.sfd.leaks import Leaks, attributes
from edgestill.jobs.benchmarks.sfd.leaks.attack import PRIVACY
from edgestill.jobs.benchmarks.sfd.leaks.attributes import attribute_of, infer, sides_of
from edgestill.jobs.benchmarks.sfd.leaks.inversion import Drawn
from edgestill.jobs.benchmarks.sfd.leaks.seen import coded
from edgestill.jobs.benchmarks.sfd.measure import tasks_of
from edgestill.jobs.benchmarks.sfd.people import people_of
from edgestill.jobs.benchmarks.sfd.points import Outcome, Point, Stage
from edgestill.jobs.benchmarks.sfd.scenario import COMPARED, POLICIES, scenarios, seeds_of
from edgestill.jobs.benchmarks.sfd.students import Deck
from edgestill.jobs.benchmarks.sfd.verdict import judged
from edgestill.privacy.attacks import AttributeInference

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


def found(accuracy):
    return AttributeInference(
        accuracy=accuracy,
        accuracy_low=accuracy - 0.1,
        accuracy_high=accuracy + 0.1,
        chance=1 / 6,
        probe="linear",
        samples=48,
    )


def leaks_of(dataset, seed, *, auc=0.51, summary_db=11.0):
    return Leaks(
        dataset=dataset,
        seed=seed,
        drawn={
            "visual": Drawn(psnr_db={"features": 14.0, "summary": summary_db}, blind_psnr_db=11.0),
            "audio": Drawn(psnr_db={"features": 18.0, "summary": 17.0}, blind_psnr_db=17.0),
        },
        attributes={"raw": found(0.9), "features": found(0.8), "update_private": found(0.2)},
        summary_epsilon=4.7,
        training_epsilon=4.5,
        update_epsilon=1.5,
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


def test_what_is_inferred_of_a_user_stands_beside_chance():
    measured = verdict()
    told = measured.results["leaks"]["affect"]["attributes"]
    assert told["features"]["accuracy"]["mean"] == pytest.approx(0.8)
    assert told["features"]["chance"]["mean"] == pytest.approx(1 / 6)
    (table,) = (one for one in measured.tables if "attribute" in one.columns)
    assert ("affect", "update private") in [row[:2] for row in table.rows]
    (chart,) = (one for one in measured.charts if one.title.startswith("affect: the user's"))
    assert {one.name for one in chart.series} == {"attacker", "chance"}
    assert len(measured.results["attacks"]) == len(FIELD) * len(SEEDS)


def test_coded_features_are_coarser_at_the_lower_rate():
    features = np.random.default_rng(0).standard_normal((50, 6)).astype(np.float32)
    errors = [np.abs(coded(features, bits) - features).max() for bits in (8, 4)]
    assert 0 < errors[0] < errors[1] < 0.5


@pytest.mark.parametrize("scenario", FIELD, ids=lambda one: one.dataset)
def test_the_attribute_is_of_users_whom_the_attacker_does_not_know(scenario):
    dataset = world_of(scenario.config(SEEDS[0])).dataset
    sides = sides_of(dataset, scenario, SEEDS[0])
    users = [{int(u) for rows in side for u in dataset.users[rows]} for side in sides.groups]
    assert not users[0] & users[1]
    assert [len(side) for side in sides.groups] == [len(some) for some in users]
    for rows in (*sides.known, *sides.attacked):
        assert len(np.unique(rows)) == scenario.own
        assert len(np.unique(dataset.users[rows])) == 1
    values = attribute_of(dataset, np.concatenate(sides.attacked))
    assert set(values) == set(range(6 if scenario.dataset == "affect" else 2))


def test_inputs_and_features_tell_the_style_group_and_every_way_out_is_tried(monkeypatch):
    scenario = replace(FIELD[0], users=12)
    world = world_of(scenario.config(SEEDS[0]))
    stage = Stage(world=world, bank=None, people=[])
    rounds = []

    def telling_nothing(stage, groups, seed):
        return np.zeros((len(groups), 1), np.float32)

    def telling_all(world, scenario, people, received, **training):
        rounds.append(training)
        groups = attributes.attribute_of(world.dataset, np.array([one.own[0] for one in people]))
        start = attributes.private_start(world)
        return [{name: array + group for name, array in start.items()} for group in groups]

    monkeypatch.setattr(attributes, "told_by", telling_nothing)
    monkeypatch.setattr(attributes, "distil_privately", telling_all)
    told = infer(stage, scenario, world.family.initial_arrays(0), PRIVACY, SEEDS[0])
    assert list(told) == [
        *("raw", "features", "features_8_bits", "features_4_bits"),
        *("summary", "update", "update_private"),
    ]
    assert told["raw"].accuracy > 0.9
    assert told["features_8_bits"].accuracy > 0.8
    assert told["summary"].accuracy == pytest.approx(told["summary"].chance)
    assert min(told["update"].accuracy, told["update_private"].accuracy) > 0.8
    assert [(one["rounds"], one["privacy"]) for one in rounds] == [(1, None), (1, PRIVACY)]
    assert {name: one.samples for name, one in told.items() if "update" in name} == {
        "update": 12,
        "update_private": 12,
    }


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
