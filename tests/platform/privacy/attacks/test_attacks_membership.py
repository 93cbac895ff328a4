"""Membership: a memorising model gives its members away, a private one does not."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from edgestill.privacy.attacks import (
    judge_membership,
    likelihood_ratio_attack,
    loss_attack,
    membership_auc,
    read_layer_input,
    regressed_update_scores,
    update_scores,
)

FEATURES, SAMPLES = 400, 40


def problem(rng, count):
    """Labels that cannot be learned: who answers them right has learned them by heart."""
    values = rng.normal(size=(count, FEATURES))
    return values, rng.choice([-1.0, 1.0], count)


def fitted(values, labels, *, noise_multiplier=0.0, rng=None):
    """Train logistic regression by full-batch DP-SGD, gradients clipped to 1 when noised."""
    weights = np.zeros(FEATURES)
    for _ in range(150):
        gradients = gradients_of(weights, values, labels)
        if noise_multiplier:
            gradients /= np.maximum(np.linalg.norm(gradients, axis=1, keepdims=True), 1.0)
            gradients = gradients.sum(axis=0) + rng.normal(0, noise_multiplier, FEATURES)
        else:
            gradients = gradients.sum(axis=0)
        weights -= 0.1 * gradients
    return weights


def gradients_of(weights, values, labels):
    return (-labels * expit(-labels * (values @ weights)))[:, None] * values


def losses_of(weights, values, labels):
    return np.logaddexp(0.0, -labels * (values @ weights))


@pytest.fixture
def sides():
    rng = np.random.default_rng(0)
    return rng, problem(rng, SAMPLES), problem(rng, 400)


def test_auc_is_that_of_scikit_learn():
    rng = np.random.default_rng(1)
    members, others = rng.integers(0, 8, 50) + 1.0, rng.integers(0, 8, 70).astype(float)
    truth = np.r_[np.ones(50), np.zeros(70)]
    assert membership_auc(members, others) == pytest.approx(
        roc_auc_score(truth, np.r_[members, others])
    )


def test_a_model_that_learned_by_heart_gives_its_members_away(sides):
    _, members, others = sides
    weights = fitted(*members)
    found = loss_attack(losses_of(weights, *members), losses_of(weights, *others))
    assert found.auc > 0.95
    assert found.true_positive_rate > 0.5
    assert (found.members, found.others) == (SAMPLES, 400)


def test_a_private_model_does_not(sides):
    rng, members, others = sides
    weights = fitted(*members, noise_multiplier=40.0, rng=rng)
    found = loss_attack(losses_of(weights, *members), losses_of(weights, *others))
    assert found.auc_low < 0.5 < found.auc_high
    assert abs(found.auc - 0.5) < 0.15


def test_references_take_away_what_is_only_difficulty():
    rng = np.random.default_rng(2)
    difficulty = rng.gamma(2.0, 2.0, (2, 300))
    members, others = difficulty[0] * 0.7, difficulty[1]
    references = rng.normal(difficulty, 0.02, (3, 2, 300)).clip(1e-3)
    plain = loss_attack(members, others)
    calibrated = likelihood_ratio_attack(members, others, references[:, 0], references[:, 1])
    assert plain.auc < 0.7
    assert calibrated.auc > 0.98
    one = likelihood_ratio_attack(members, others, references[:1, 0], references[:1, 1])
    assert one.auc > 0.98


def test_losses_of_zero_are_scored():
    zeros, ones = np.zeros(5), np.ones(5)
    assert likelihood_ratio_attack(zeros, ones, ones[None], ones[None]).auc == 1.0


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(3)
    # P(X > Y) of N(1, 1) and N(0, 1) is Phi(1 / sqrt(2)).
    truth, covered = 0.7602, 0
    for _ in range(300):
        found = judge_membership(rng.normal(1, 1, 40), rng.normal(0, 1, 60))
        covered += found.auc_low <= truth <= found.auc_high
    assert 270 <= covered <= 298


def test_no_more_false_alarms_than_allowed():
    others = np.arange(200.0)
    found = judge_membership(np.array([196.5, 197.5, 198.5]), others)
    # Two of 200 may be false alarms: above 197 are 198 and 199.
    assert found.true_positive_rate == pytest.approx(2 / 3)


def test_an_update_points_away_from_the_gradients_of_its_own_samples(sides):
    rng, members, others = sides
    weights = np.zeros(FEATURES)
    few = slice(0, 6)
    own, foreign = gradients_of(weights, *members)[few], gradients_of(weights, *others)
    update = -own.sum(axis=0)
    assert membership_auc(update_scores(update, own), update_scores(update, foreign)) > 0.9
    clipped = update / np.linalg.norm(update)
    noised = clipped + rng.normal(0, 5.0, FEATURES)
    private = judge_membership(update_scores(noised, own), update_scores(noised, foreign))
    assert private.auc_low < 0.5 < private.auc_high
    assert update_scores(update, -update[None])[0] == pytest.approx(1.0)
    assert update_scores(update * 0, own).tolist() == [0.0] * 6


def test_a_regression_tells_apart_what_the_cosine_confuses():
    rng = np.random.default_rng(5)
    # Gradients that mostly say the same, as those of one class do.
    gradients = (5 * rng.normal(size=300) + rng.normal(size=(80, 300))).astype(np.float32)
    update = -gradients[:20].sum(axis=0)
    update /= np.linalg.norm(update)

    def auc(scores):
        return membership_auc(scores[:20], scores[20:])

    assert auc(update_scores(update, gradients)) < 0.9
    assert auc(regressed_update_scores(update, gradients)) > 0.999
    noised = update + rng.normal(0, 1.0, 300).astype(np.float32)
    private = regressed_update_scores(noised, gradients, noise_stddev=1.0)
    assert abs(auc(private) - 0.5) < 0.15
    assert regressed_update_scores(update * 0, gradients).tolist() == [0.0] * 80


def test_the_gradient_of_one_sample_gives_its_input_away():
    rng = np.random.default_rng(4)
    values, signal = rng.normal(size=8).astype(np.float32), np.array([0.2, -0.9, 0.7], np.float32)
    # The learning rate of an update cancels.
    found = read_layer_input(-0.05 * np.outer(signal, values), -0.05 * signal)
    np.testing.assert_allclose(found.values, values, rtol=1e-5)
    assert found.output == 1


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: membership_auc(np.empty(0), np.ones(2)), "at least one member"),
        (lambda: membership_auc(np.array([np.nan]), np.ones(2)), "NaN"),
        (
            lambda: likelihood_ratio_attack(np.ones(2), np.ones(2), np.ones(2), np.ones((1, 2))),
            "expected \\[R, samples\\]",
        ),
        (lambda: update_scores(np.ones(3), np.ones((2, 4))), "expected \\[P\\] and \\[N, P\\]"),
        (lambda: update_scores(np.full(3, np.inf), np.ones((2, 3))), "NaN or infinity"),
        (
            lambda: regressed_update_scores(np.ones(3), np.ones((2, 3)), noise_stddev=-1.0),
            "noise_stddev is -1.0",
        ),
        (lambda: read_layer_input(np.ones((2, 3)), np.zeros(2)), "nothing was learned"),
        (lambda: read_layer_input(np.ones((2, 3)), np.ones(3)), "expected \\[O, I\\]"),
    ],
)
def test_wrong_arrays_are_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()
