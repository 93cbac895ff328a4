import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgestill.config import KnowledgeConfig
from edgestill.knowledge import Summary, relevance, select


def histogram(*counts, noise_stddev=0.0):
    return Summary(
        kind="histogram",
        histogram=np.array(counts, np.float32),
        sums=None,
        noise_stddev=noise_stddev,
    )


def prototypes(counts, sums, noise_stddev=1.0):
    return Summary(
        kind="prototypes",
        histogram=np.array(counts, np.float32),
        sums=np.asarray(sums, np.float32),
        noise_stddev=noise_stddev,
    )


def choose(bank, selection, summary, *, budget=10, seed=0, **options):
    config = KnowledgeConfig(selection=selection, **options)
    rng = np.random.default_rng(seed)
    return select(config, bank=bank, summary=summary, rng=rng, budget=budget)


ONE_CLASS = histogram(0, 30, 0, 0)
TWO_CLASSES = histogram(20, 20, 0, 0)


def test_relevance_picks_the_classes_that_the_summary_shows(bank):
    assert set(bank.labels[choose(bank, "relevance", ONE_CLASS)]) == {1}
    assert set(bank.labels[choose(bank, "relevance", TWO_CLASSES, budget=30)]) == {0, 1}


def test_reversed_picks_the_others(bank):
    assert set(bank.labels[choose(bank, "reversed", TWO_CLASSES, budget=30)]) == {2, 3}


def test_relevance_follows_the_shares(bank):
    summary = histogram(30, 10, 0, 0)
    drawn = [choose(bank, "relevance", summary, budget=4, seed=seed) for seed in range(300)]
    counts = np.bincount(bank.labels[np.concatenate(drawn)], minlength=4)
    assert counts[2] == counts[3] == 0
    # Three to one, drawn without replacement.
    assert 2.3 < counts[0] / counts[1] < 3.4


def test_prototypes_pick_samples_like_the_devices_own(bank):
    like = np.flatnonzero(bank.labels == 2)
    sums = np.zeros((4, 5), np.float32)
    sums[2] = 20 * bank.projections[like].mean(axis=0)
    scores = relevance(KnowledgeConfig(), bank, prototypes([0, 0, 20, 0], sums, noise_stddev=0.0))
    assert set(bank.labels[scores > 0]) == {2}
    unit = bank.projections[like] / np.linalg.norm(bank.projections[like], axis=1, keepdims=True)
    cosine = unit @ (sums[2] / np.linalg.norm(sums[2]))
    np.testing.assert_array_equal(np.argsort(scores[like]), np.argsort(cosine))


def test_golden_relevance_of_prototypes(bank):
    rng = np.random.default_rng(0)
    sums = rng.normal(size=(4, 5)) * 10
    counts = [12.0, 6.0, 0.5, -3.0]
    config = KnowledgeConfig(relevance_temperature=0.2)
    unit = bank.projections / np.linalg.norm(bank.projections, axis=1, keepdims=True)
    # Class 2 has fewer samples than the noise has deviation, class 3 less than none; the deviation
    # of 1 is added to every class.
    cosine = unit @ (sums[:2] / np.linalg.norm(sums[:2], axis=1, keepdims=True)).T
    weights = np.exp(cosine.max(axis=1) / 0.2)
    share = np.array([13, 7, 1.5, 1]) / 22.5
    ratio = share / (np.bincount(bank.labels, minlength=4) / len(bank))
    expected = weights / weights.sum() * len(bank) * ratio[bank.labels]
    np.testing.assert_allclose(
        relevance(config, bank, prototypes(counts, sums)), expected, rtol=1e-4
    )


def test_noise_smooths_the_shares(bank):
    public = np.bincount(bank.labels, minlength=4) / len(bank)
    for noise_stddev in (0.5, 2.0, 8.0):
        summary = histogram(30, 10, -4, 0, noise_stddev=noise_stddev)
        scores = relevance(KnowledgeConfig(), bank, summary)
        by_class = [scores[bank.labels == label] for label in range(4)]
        assert all(np.ptp(same) == 0 for same in by_class)
        likelihoods = np.array([same[0] for same in by_class]) * public
        # A class that was not seen weighs as much as the noise could have hidden of it.
        np.testing.assert_allclose(likelihoods[0] / likelihoods[3], 30 / noise_stddev + 1)
        np.testing.assert_allclose(likelihoods[1] / likelihoods[3], 10 / noise_stddev + 1)
        np.testing.assert_allclose(likelihoods[2], likelihoods[3])
        # Weighted by the public shares, the density ratio has mean 1.
        np.testing.assert_allclose(scores.mean(), 1.0)


def test_an_unseen_class_is_drawn_now_and_then_under_noise_and_never_without(bank):
    def drawn(noise_stddev):
        summary = histogram(0, 30, 0, 0, noise_stddev=noise_stddev)
        picks = [choose(bank, "relevance", summary, budget=5, seed=seed) for seed in range(200)]
        return np.bincount(bank.labels[np.concatenate(picks)], minlength=4)

    assert np.flatnonzero(drawn(0.0)).tolist() == [1]
    counts = drawn(3.0)
    assert (counts > 0).all()
    assert counts[1] > 2 * counts[[0, 2, 3]].max()


@pytest.mark.parametrize("policy", ["relevance", "reversed"])
@pytest.mark.parametrize("summary", [None, histogram(0, -1, -2, 0), histogram(0, 0, 0, 0)])
def test_a_summary_that_says_nothing_is_uniform(bank, policy, summary):
    seen = [choose(bank, policy, summary, seed=seed) for seed in range(60)]
    assert len(np.unique(np.concatenate(seen))) == len(bank)


def test_random_is_uniform_and_ignores_the_summary(bank):
    drawn = [choose(bank, "random", ONE_CLASS, budget=7, seed=seed) for seed in range(1000)]
    counts = np.bincount(np.concatenate(drawn), minlength=len(bank))
    # 100 expected of each of 70; five standard deviations are 47.
    assert np.abs(counts - 100).max() < 48


def test_all_and_none(bank):
    np.testing.assert_array_equal(choose(bank, "all", None, budget=1), np.arange(70))
    assert len(choose(bank, "none", ONE_CLASS)) == 0


def test_rounds_differ_and_the_same_seed_repeats(bank):
    first, second = (choose(bank, "relevance", TWO_CLASSES, seed=seed) for seed in (1, 2))
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, choose(bank, "relevance", TWO_CLASSES, seed=1))


@settings(deadline=None)
@given(
    policy=st.sampled_from(["relevance", "reversed", "random", "none"]),
    counts=st.lists(st.floats(-50, 50), min_size=4, max_size=4),
    budget=st.integers(0, 100),
    keep_ratio=st.floats(0.01, 1.0),
    seed=st.integers(0, 5),
)
def test_positions_are_sorted_distinct_and_within_budget(
    bank, policy, counts, budget, keep_ratio, seed
):
    summary = histogram(*counts)
    chosen = choose(bank, policy, summary, budget=budget, seed=seed, keep_ratio=keep_ratio)
    assert chosen.dtype == np.int64
    assert len(chosen) <= budget
    assert (np.diff(chosen) > 0).all()
    assert ((chosen >= 0) & (chosen < len(bank))).all()


def test_summaries_that_do_not_fit_are_refused(bank):
    with pytest.raises(ValueError, match="summary has 3 classes; the bank has 4"):
        choose(bank, "relevance", histogram(1, 2, 3))
    with pytest.raises(ValueError, match="prototypes have width 9"):
        choose(bank, "relevance", prototypes([5, 5, 5, 5], np.ones((4, 9))))
    with pytest.raises(ValueError, match="budget"):
        choose(bank, "all", None, budget=-1)
