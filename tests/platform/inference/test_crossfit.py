"""What is learned from inputs and tried on the same: no flattery, and errors that are not small."""

from dataclasses import replace

import numpy as np
import pytest
from trade_off_case import dynamic_case, way

from edgestill.inference import gates
from edgestill.inference.tradeoffs import (
    OFFLOAD_RATES,
    Outcomes,
    PricedPolicy,
    held_out_worth,
    learn_worth,
    try_all,
    try_architectures,
    try_dynamic,
)


def coin_case(seed):
    """Eight neighbours show one thing, and a coin tells for all eight whether a way is right."""
    rng = np.random.default_rng(seed)
    edge, features, whole = rng.integers(0, 2, (3, 40)).repeat(8, axis=1)
    answers = gates.Answers(probabilities_NK=rng.dirichlet(np.ones(10), size=40).repeat(8, axis=0))
    outcomes = Outcomes(
        edge=way("edge", edge, 0, 10.0, 0.0),
        features=[way("features", features, 50, 12.0, 40.0)],
        whole_input=way("input", whole, 400, 10.0, 100.0),
    )
    return answers, outcomes


def test_what_is_learned_from_coins_promises_nothing_where_it_was_not_learned():
    flattered, honest = [], []
    for seed in range(20):
        answers, outcomes = coin_case(seed)
        learned = learn_worth(answers, outcomes)
        policy = PricedPolicy(worth=learned, byte_price=0.0, flop_price=0.0, places=(0, 1, 2))
        held_out = policy.choose_by(held_out_worth(answers, outcomes))
        flattered.append(outcomes.right_of(policy.choose(answers)).mean())
        honest.append(outcomes.right_of(held_out).mean())
    assert np.mean(flattered) > 0.6
    assert np.mean(honest) == pytest.approx(0.5, abs=0.05)


def test_dynamic_is_tried_by_what_other_inputs_taught():
    answers, outcomes = coin_case(0)
    tried = try_dynamic(answers, outcomes)
    flattered = try_all(tried.policies, answers, outcomes)
    assert max(one.right for one in tried.points) < max(one.right for one in flattered.points)


def test_held_out_worth_is_what_the_other_blocks_teach():
    answers, outcomes = dynamic_case(200)
    values = held_out_worth(answers, outcomes)
    assert values.shape == (200, 3)
    others = slice(20, None)
    worth = learn_worth(
        gates.Answers(probabilities_NK=answers.probabilities_NK[others]),
        Outcomes(
            edge=way("edge", outcomes.edge.right[others], 0, 10.0, 0.0),
            features=[way("features", outcomes.features[0].right[others], 50, 12.0, 40.0)],
            whole_input=way("input", outcomes.whole_input.right[others], 400, 10.0, 100.0),
        ),
    )
    np.testing.assert_allclose(values[:20], worth(answers)[:20], rtol=1e-3)


def test_what_counts_more_is_learned_more():
    """The cloud mends every other input; only the doubtful ones count."""
    answers, outcomes = dynamic_case()
    doubt = gates.least_confidence(answers)
    weights = np.where(doubt > 0.25, 2.0, 0.0)
    weighted = replace(outcomes, weights=weights)
    assert weighted.merit(np.full(3000, 2)) == pytest.approx(weights.mean())
    assert weighted.shares_WN().max() == 1.0
    worth = learn_worth(answers, weighted)(answers)
    gains = worth[:, 2] - worth[:, 0]
    assert gains[doubt > 0.35].min() > gains[doubt < 0.15].max()
    assert worth[doubt < 0.15].max() < 0.1


def test_dynamic_can_do_whatever_the_single_architectures_can_and_theirs_come_first():
    answers, outcomes = dynamic_case(400)
    inputs, features, every = try_architectures(answers, outcomes, gates.least_confidence)
    assert len(inputs.policies) == len(features.policies) == len(OFFLOAD_RATES)
    assert {policy.place for policy in features.policies} == {1}
    assert every.policies[: 2 * len(OFFLOAD_RATES)] == [*inputs.policies, *features.policies]
    assert all(isinstance(one, PricedPolicy) for one in every.policies[2 * len(OFFLOAD_RATES) :])
