import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgestill.config import KnowledgeConfig
from edgestill.knowledge import Summary, likely_counts, relevance


def summary_of(counts, prototype=None, noise_stddev=0.0):
    return Summary(
        kind="histogram" if prototype is None else "prototypes",
        histogram=np.array(counts, np.float32),
        prototype=None if prototype is None else np.asarray(prototype, np.float32),
        noise_stddev=noise_stddev,
    )


def similarity(bank, prototype, noise_stddev=0.0, temperature=0.5):
    """Return what the prototype alone does to the scores: all classes as in public."""
    counts = np.bincount(bank.labels, minlength=4)
    config = KnowledgeConfig(relevance_temperature=temperature)
    noised = relevance(config, bank, summary_of(counts, prototype, noise_stddev))
    return noised / relevance(config, bank, summary_of(counts, None, noise_stddev))


def test_counts_without_noise_stay_as_they_are():
    np.testing.assert_allclose(likely_counts(np.array([3.0, 0.0, 5.0]), 0.0), [3.0, 0.0, 5.0])


def test_golden_likely_counts():
    # 10 - 1 - 1 + 0 = 8 samples: 10 less 2 is the nearest point without negative counts.
    noised = np.array([10.0, -1.0, -1.0, 0.0])
    np.testing.assert_allclose(likely_counts(noised, 0.0), [8.0, 0.0, 0.0, 0.0])
    np.testing.assert_allclose(likely_counts(noised, 2.0), [8.5, 0.5, 0.5, 0.5])


def test_noise_on_absent_classes_does_not_add_up():
    truth = np.array([10.0, 10.0, *[0.0] * 18])
    rng = np.random.default_rng(0)
    likely, halves = [], []
    for _ in range(200):
        noised = truth + rng.normal(0, 1.4, 20)
        likely.append(_first_two(likely_counts(noised, 0.0)))
        halves.append(_first_two(np.maximum(noised, 0.0)))
    assert np.mean(likely) > np.mean(halves) + 0.08


def _first_two(counts):
    return counts[:2].sum() / counts.sum()


@settings(deadline=None)
@given(counts=st.lists(st.floats(-50, 50), min_size=1, max_size=20), noise_stddev=st.floats(0, 10))
def test_likely_counts_are_never_negative_and_never_all_zero(counts, noise_stddev):
    likely = likely_counts(np.array(counts), noise_stddev)
    assert (likely >= 0).all()
    assert likely.sum() > 0


@pytest.mark.parametrize("counts", [(0, -1, -2, 0), (0, 0, 0, 0)])
def test_a_histogram_that_says_nothing_makes_all_classes_equal(bank, counts):
    public = np.bincount(bank.labels, minlength=4) / len(bank)
    scores = relevance(KnowledgeConfig(), bank, summary_of(counts))
    np.testing.assert_allclose(scores, (0.25 / public)[bank.labels])


def test_classes_are_weighed_by_the_density_ratio(bank):
    public = np.bincount(bank.labels, minlength=4) / len(bank)
    scores = relevance(KnowledgeConfig(), bank, summary_of((30, 10, 0, 0)))
    np.testing.assert_allclose(scores, (np.array([0.75, 0.25, 0, 0]) / public)[bank.labels])
    assert scores.mean() == pytest.approx(1.0)


def test_golden_similarity(bank):
    prototype = np.array([1.0, -2.0, 0.5, 0.0, 3.0, -1.0])
    unit = bank.styles / np.linalg.norm(bank.styles, axis=1, keepdims=True)
    cosine = unit @ prototype / np.linalg.norm(prototype)
    # Six numbers with noise of variance 0.25 have a square of 1.5 from noise alone, of 15.25 seen.
    shrinkage = 1 - 6 * 0.25 / 15.25
    weights = np.exp(shrinkage * cosine / 0.2)
    np.testing.assert_allclose(
        similarity(bank, prototype, noise_stddev=0.5, temperature=0.2),
        weights / weights.mean(),
        rtol=1e-4,
    )


def test_a_prototype_that_noise_alone_explains_says_nothing(bank):
    np.testing.assert_allclose(similarity(bank, np.full(6, 0.9), noise_stddev=1.0), 1.0)
    np.testing.assert_allclose(similarity(bank, np.zeros(6)), 1.0)


def test_samples_of_a_like_style_score_highest_within_their_class(bank):
    like = bank.styles[5]
    scores = similarity(bank, like, temperature=0.1)
    assert scores.argmax() == 5
    assert scores.mean() == pytest.approx(1.0)


def test_summaries_that_do_not_fit_are_refused(bank):
    config = KnowledgeConfig()
    with pytest.raises(ValueError, match="summary has 3 classes; the bank has 4"):
        relevance(config, bank, summary_of((1, 2, 3)))
    with pytest.raises(ValueError, match="prototype has width 9; styles 6"):
        relevance(config, bank, summary_of((5, 5, 5, 5), np.ones(9)))
