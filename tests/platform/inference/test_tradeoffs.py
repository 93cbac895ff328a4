"""Trade-offs: what a choice costs, how much points cover, what Dynamic learns."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from trade_off_case import dynamic_case, way

from edgestill.errors import InputError
from edgestill.inference import gates
from edgestill.inference.tradeoffs import (
    GatePolicy,
    Outcomes,
    PricedPolicy,
    Reference,
    adaptive,
    best_within,
    cheapest,
    dynamic,
    gate_curve,
    hypervolume,
    improved,
    independent,
    learn_worth,
    point,
    try_all,
)

OUTCOMES = Outcomes(
    edge=way("edge", [1, 0, 0, 1], 0, 10.0, 0.0),
    features=[way("features", [1, 1, 0, 1], 50, 12.0, 40.0)],
    whole_input=way("input", [1, 1, 1, 0], 400, 10.0, 100.0),
)


def test_a_choice_costs_what_its_ways_cost_in_the_mean():
    found = point("mixed", OUTCOMES, np.array([0, 1, 2, 0]))
    assert found.right == 1.0
    assert found.bytes_sent == pytest.approx((0 + 50 + 400 + 0) / 4)
    assert found.edge_flops == pytest.approx((10 + 12 + 10 + 10) / 4)
    assert found.cloud_flops == pytest.approx((0 + 40 + 100 + 0) / 4)
    assert found.offload_rate == 0.5


def test_a_choice_is_scored_by_the_outcomes_own_figure_of_merit():
    scored = replace(OUTCOMES, score=lambda chosen, places: 0.25 * np.mean(chosen[places] == 2))
    assert point("mixed", scored, np.array([0, 2, 2, 0])).right == 0.125


def test_a_gates_curve_goes_from_the_edge_alone_to_its_way_alone():
    hardness = np.array([0.1, 0.9, 0.8, 0.2])
    alone, some, every = gate_curve(OUTCOMES, 2, hardness, (0.0, 0.5, 1.0))
    assert (alone.right, alone.bytes_sent) == (0.5, 0.0)
    assert (some.right, some.offload_rate) == (1.0, 0.5)
    assert (every.right, every.bytes_sent) == (0.75, 400.0)


def test_of_equally_hard_inputs_any_go_until_the_share_is_met():
    rates = [one.offload_rate for one in gate_curve(OUTCOMES, 1, np.ones(4), (0.25, 0.75))]
    assert rates == [0.25, 0.75]


def test_ways_of_other_inputs_are_refused():
    with pytest.raises(InputError, match="ways of"):
        Outcomes(
            edge=way("edge", [1, 0], 0, 1, 0),
            features=[],
            whole_input=way("input", [1], 1, 1, 1),
        )


points = arrays(float, st.tuples(st.integers(1, 12), st.just(3)), elements=st.floats(0, 1))


@given(points, points)
def test_more_points_never_cover_less(costs, more):
    reference = np.full(3, 1.1)
    whole = hypervolume(np.concatenate([costs, more]), reference)
    assert whole >= hypervolume(costs, reference) - 1e-12


def test_hypervolume_of_two_boxes_that_overlap():
    costs = np.array([[0.0, 0.5], [0.5, 0.0]])
    assert hypervolume(costs, np.ones(2)) == pytest.approx(0.75)


def priced(worth, byte_price, places=(0, 1, 2)):
    return PricedPolicy(worth=worth, byte_price=byte_price, flop_price=0.0, places=places)


def test_dynamic_picks_the_dearer_way_for_the_harder_input_and_none_when_bytes_are_dear():
    answers, outcomes = dynamic_case()
    worth = learn_worth(answers, outcomes)
    some = priced(worth, 6e-4).choose(answers)
    doubt = gates.least_confidence(answers)
    assert set(some) == {0, 1, 2}
    means = [doubt[some == place].mean() for place in range(3)]
    assert means == sorted(means)
    assert set(priced(worth, 1.0).choose(answers)) == {0}
    assert set(priced(worth, 0.0).choose(answers)) == {2}
    assert set(priced(worth, 6e-4, places=(0, 2)).choose(answers)) == {0, 2}


def test_dynamic_is_right_more_often_than_a_gate_at_the_same_bytes():
    answers, outcomes = dynamic_case()
    policy = priced(learn_worth(answers, outcomes), 3e-4)
    found = point("dynamic", outcomes, policy.choose(answers))
    hardness = gates.least_confidence(answers)
    curve = gates.curve(hardness, outcomes.edge.right, outcomes.whole_input.right)
    assert found.right > curve.accuracy_at(found.bytes_sent / 400)


def test_gates_of_an_architecture_never_hand_on_more_than_asked_and_only_its_own_way():
    answers, outcomes = dynamic_case()
    rates = (0.0, 0.3, 1.0)
    for made, place in ((independent, 2), (adaptive, 1)):
        policies = made(answers, outcomes, gates.least_confidence, rates)
        for policy, rate in zip(policies, rates, strict=True):
            chosen = policy.choose(answers)
            assert set(chosen) <= {0, place}
            assert rate - 0.01 <= np.mean(chosen == place) <= rate


def test_what_policies_choose_alike_is_scored_once():
    answers, outcomes = dynamic_case(50)
    scored = []
    outcomes = replace(outcomes, score=lambda *_: scored.append(1) or 0.5)
    twin = GatePolicy(name="twin", place=1, hardness=gates.least_confidence, threshold=0.2)
    tried = try_all([twin, replace(twin, name="other")], answers, outcomes)
    assert [one.name for one in tried.points] == ["twin", "other"]
    assert len(scored) == 1


@pytest.mark.parametrize(
    ("inputs", "improved_rates"), [(4, set()), (600, set()), (3000, {0.2, 0.3})]
)
def test_what_improves_costs_no_more_and_is_sure_by_as_many_inputs_as_there_are(
    inputs, improved_rates
):
    answers, outcomes = dynamic_case(inputs)
    rates = (0.0, 0.2, 0.3, 1.0)
    base = try_all(independent(answers, outcomes, gates.least_confidence, rates), answers, outcomes)
    others = try_all(dynamic(learn_worth(answers, outcomes)), answers, outcomes)
    found = improved(base, base.beside(others), confidence=0.95)
    for policy, new, own in zip(found.policies, found.points, base.points, strict=True):
        assert new == replace(point("", outcomes, policy.choose(answers)), name=policy.name)
        assert new.right >= own.right
        assert new.bytes_sent <= own.bytes_sent
        assert new.flops <= own.flops
    changed = zip(rates, found.policies, base.policies, strict=True)
    assert {rate for rate, policy, own in changed if policy is not own} == improved_rates


def test_the_most_accurate_within_a_budget_is_found_and_a_budget_below_all_is_refused():
    answers, outcomes = dynamic_case()
    rates = np.linspace(0, 1, 21)
    policies = independent(answers, outcomes, gates.least_confidence, rates)
    tried = try_all(policies, answers, outcomes)
    best = best_within(tried, most_bytes=100.0, most_edge_flops=10.0)
    assert best.name == "input, 25% at most"
    assert best_within(tried, most_bytes=0.0, most_edge_flops=10.0).name == "input, 0% at most"
    with pytest.raises(InputError, match="every policy sends more than 100 bytes or takes more"):
        best_within(tried, most_bytes=100.0, most_edge_flops=9.0)


def test_the_cheapest_that_keeps_the_accuracy_is_found_and_none_if_none_does():
    answers, outcomes = dynamic_case()
    rates = np.linspace(0, 1, 21)
    policies = independent(answers, outcomes, gates.least_confidence, rates)
    tried = try_all(policies, answers, outcomes)
    reference = Reference(score=1.0, right_N=outcomes.whole_input.right)
    sent = []
    for standard_errors in (0.0, 3.0):
        policy = cheapest(tried, reference, kept=0.9, standard_errors=standard_errors)
        assert policy is not None
        found = point("", outcomes, policy.choose(answers))
        assert found.right >= 0.9
        sent.append(found.bytes_sent)
    assert sent[0] < sent[1] < 400
    beyond = Reference(score=1.2, right_N=outcomes.whole_input.right)
    assert cheapest(tried, beyond, kept=1.0, standard_errors=0.0) is None
