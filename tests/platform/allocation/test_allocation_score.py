import pytest

from edgestill.allocation.score import latency_score

POSTER = {
    "teacher": (94.8, 128.7),
    "high": (92.3, 32.8),
    "medium": (89.5, 18.2),
    "low": (85.2, 12.5),
    "critical": (82.8, 9.3),
}
"""RA-CMKD's accuracies in percent and latencies in ms (Cherian & Manoov, results table)."""


@pytest.mark.parametrize(
    ("name", "soft", "hard"),
    [
        ("teacher", 83.22, 14.73),
        ("high", 89.16, 56.28),
        ("medium", 90.09, 89.50),
        ("low", 88.05, 85.20),
        ("critical", 87.36, 82.80),
    ],
)
def test_the_scores_of_the_poster_at_a_target_of_20_ms(name, soft, hard):
    accuracy, latency = POSTER[name]
    assert latency_score(accuracy, latency, 20.0) == pytest.approx(soft, abs=0.006)
    score = latency_score(accuracy, latency, 20.0, within=0.0, beyond=-1.0)
    assert score == pytest.approx(hard, abs=0.006)


def test_under_the_soft_score_the_ranking_does_not_depend_on_the_target():
    def ranking(target):
        return sorted(POSTER, key=lambda name: latency_score(*POSTER[name], target))

    assert ranking(5.0) == ranking(20.0) == ranking(500.0)


def test_what_rewards_slowness_or_divides_by_nothing_is_refused():
    with pytest.raises(ValueError, match="above 0"):
        latency_score(0.9, 0.0, 1.0)
    with pytest.raises(ValueError, match="slower"):
        latency_score(0.9, 1.0, 1.0, within=0.07)
