import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgestill.config import KnowledgeConfig
from edgestill.knowledge import Summary, select
from edgestill.knowledge.selection import inclusion


def histogram(*counts, noise_stddev=0.0):
    return Summary(
        kind="histogram",
        histogram=np.array(counts, np.float32),
        prototype=None,
        noise_stddev=noise_stddev,
    )


def choice(bank, selection, summary, *, budget=10, seed=0, **options):
    config = KnowledgeConfig(selection=selection, **options)
    rng = np.random.default_rng(seed)
    return select(config, bank=bank, summary=summary, rng=rng, budget=budget)


def choose(bank, selection, summary, **options):
    return choice(bank, selection, summary, **options).positions


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


def test_an_unseen_class_is_drawn_now_and_then_under_noise_and_never_without(bank):
    def drawn(noise_stddev):
        summary = histogram(0, 30, 0, 0, noise_stddev=noise_stddev)
        picks = [choose(bank, "relevance", summary, budget=5, seed=seed) for seed in range(200)]
        return np.bincount(bank.labels[np.concatenate(picks)], minlength=4)

    assert np.flatnonzero(drawn(0.0)).tolist() == [1]
    counts = drawn(12.0)
    assert (counts > 0).all()
    assert counts[1] > 2 * counts[[0, 2, 3]].max()


def test_reversed_gives_the_highest_score_to_the_least_relevant(bank):
    # Three of four classes are relevant: a mirror about the middle would not tell them apart.
    summary = histogram(40, 20, 10, 0)
    picks = [choose(bank, "reversed", summary, budget=4, seed=seed) for seed in range(300)]
    counts = np.bincount(bank.labels[np.concatenate(picks)], minlength=4)
    assert counts[3] > counts[2] > counts[1] >= counts[0]


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


def test_what_is_drawn_uniformly_counts_the_same(bank):
    for policy, summary in (("random", ONE_CLASS), ("all", None), ("relevance", None)):
        assert choice(bank, policy, summary).relevance is None


def test_the_relevant_count_more_once_they_are_exhausted(bank):
    summary = histogram(30, 30, 2, 2)
    relevant = bank.labels < 2
    few, many = (choice(bank, "relevance", summary, budget=budget) for budget in (5, 60))
    assert few.relevance is None or few.relevance.min() > 0.8 * few.relevance.max()
    assert many.relevance.dtype == np.uint8
    assert many.relevance.max() == 255
    chosen = relevant[many.positions]
    assert many.relevance[chosen].min() > 2 * many.relevance[~chosen].max()


@pytest.mark.parametrize("budget", [8, 35, 60])
def test_the_weighted_draw_estimates_the_bank_weighted_by_relevance(bank, budget):
    summary, rng = histogram(30, 12, 6, 2), np.random.default_rng(0)
    values = rng.normal(size=len(bank)) + bank.labels
    share = np.array([30, 12, 6, 2]) / 50
    truth = share @ [values[bank.labels == label].mean() for label in range(4)]
    means = []
    for seed in range(600):
        drawn = choice(bank, "relevance", summary, budget=budget, seed=seed)
        weights = None if drawn.relevance is None else drawn.relevance.astype(float)
        means.append(np.average(values[drawn.positions], weights=weights))
    assert np.mean(means) == pytest.approx(truth, abs=0.05)


def test_chances_of_being_drawn_add_up_and_are_those_of_drawing():
    scores = np.array([8.0, 4.0, 2.0, 1.0, 0.5, 0.25])
    chances = inclusion(scores, 3)
    assert chances.sum() == pytest.approx(3.0, abs=2e-3)
    rng = np.random.default_rng(0)
    keys = rng.exponential(size=(20_000, 6)) / scores
    taken = (np.argsort(np.argsort(keys, axis=1), axis=1) < 3).mean(axis=0)
    # Expected, not fixed, is the number that the formula draws.
    np.testing.assert_allclose(chances, taken, atol=0.06)
    np.testing.assert_array_equal(inclusion(scores, 6), 1.0)


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
    made = choice(bank, policy, summary, budget=budget, seed=seed, keep_ratio=keep_ratio)
    chosen = made.positions
    assert made.relevance is None or (
        made.relevance.min() > 0 and len(made.relevance) == len(chosen)
    )
    assert chosen.dtype == np.int64
    assert len(chosen) <= budget
    assert (np.diff(chosen) > 0).all()
    assert ((chosen >= 0) & (chosen < len(bank))).all()


def test_a_negative_budget_is_refused(bank):
    with pytest.raises(ValueError, match="budget"):
        choose(bank, "all", None, budget=-1)
