"""Trade-offs: what a choice costs, which points are worth having, what Dynamic learns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edgestill.errors import InputError
from edgestill.inference import gates
from edgestill.inference.tradeoffs import (
    Outcomes,
    Way,
    front,
    gated,
    hypervolume,
    learn_dynamic,
    point,
)


def way(kind, right, sent, edge_flops, cloud_flops):
    count = len(right)
    return Way(
        kind=kind,
        name=kind,
        right=np.asarray(right, float),
        bytes_sent=np.full(count, float(sent)),
        edge_flops=edge_flops,
        cloud_flops=cloud_flops,
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


def test_a_gate_goes_from_the_edge_alone_to_its_way_alone():
    hardness = np.array([0.1, 0.9, 0.8, 0.2])
    alone, some, every = gated(
        OUTCOMES, OUTCOMES.whole_input, hardness, [gates.NEVER, 0.5, gates.ALWAYS]
    )
    assert (alone.right, alone.bytes_sent) == (0.5, 0.0)
    assert (some.right, some.offload_rate) == (1.0, 0.5)
    assert (every.right, every.bytes_sent) == (0.75, 400.0)


def test_ways_of_other_inputs_are_refused():
    with pytest.raises(InputError, match="ways of"):
        Outcomes(
            edge=way("edge", [1, 0], 0, 1, 0),
            features=[],
            whole_input=way("input", [1], 1, 1, 1),
        )


points = arrays(float, st.tuples(st.integers(1, 12), st.just(3)), elements=st.floats(0, 1))


@given(points)
def test_nobody_on_the_front_is_bettered_and_everybody_off_it_is(costs):
    kept = set(front(range(len(costs)), costs))
    for place, own in enumerate(costs):
        bettered = any(
            (other <= own).all() and ((other < own).any() or n < place)
            for n, other in enumerate(costs)
            if n != place
        )
        assert (place in kept) != bettered


@given(points, points)
def test_more_points_never_cover_less_and_the_front_covers_all(costs, more):
    reference = np.full(3, 1.1)
    whole = hypervolume(np.concatenate([costs, more]), reference)
    assert whole >= hypervolume(costs, reference) - 1e-12
    assert hypervolume(np.array(front(list(costs), costs)), reference) == pytest.approx(
        hypervolume(costs, reference)
    )


def test_hypervolume_of_two_boxes_that_overlap():
    costs = np.array([[0.0, 0.5], [0.5, 0.0]])
    assert hypervolume(costs, np.ones(2)) == pytest.approx(0.75)


def dynamic_case(count=3000):
    """The edge is right where it is sure; features mend half of the rest, the input all of it."""
    rng = np.random.default_rng(4)
    sure = rng.random(count)
    p = 0.5 + sure / 2
    answers = gates.Answers(probabilities_NK=np.stack([p, 1 - p], axis=1))
    outcomes = Outcomes(
        edge=way("edge", rng.random(count) < 0.3 + 0.7 * sure, 0, 10.0, 0.0),
        features=[way("features", rng.random(count) < 0.75 + 0.25 * sure, 50, 12.0, 40.0)],
        whole_input=way("input", np.ones(count), 400, 10.0, 100.0),
    )
    return answers, outcomes


def test_dynamic_picks_the_dearer_way_for_the_harder_input_and_none_when_bytes_are_dear():
    answers, outcomes = dynamic_case()
    policy = learn_dynamic(answers, outcomes)
    some = policy.choose(answers, byte_price=6e-4, flop_price=0.0)
    doubt = gates.least_confidence(answers)
    assert set(some) == {0, 1, 2}
    means = [doubt[some == place].mean() for place in range(3)]
    assert means == sorted(means)
    assert set(policy.choose(answers, byte_price=1.0, flop_price=0.0)) == {0}
    assert set(policy.choose(answers, byte_price=0.0, flop_price=0.0)) == {2}


def test_dynamic_is_right_more_often_than_a_gate_at_the_same_bytes():
    answers, outcomes = dynamic_case()
    policy = learn_dynamic(answers, outcomes)
    found = point("dynamic", outcomes, policy.choose(answers, byte_price=3e-4, flop_price=0.0))
    hardness = gates.least_confidence(answers)
    curve = gates.curve(hardness, outcomes.edge.right, outcomes.whole_input.right)
    assert found.right > curve.accuracy_at(found.bytes_sent / 400)
