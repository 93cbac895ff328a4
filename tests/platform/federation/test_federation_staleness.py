"""What a late update counts, and that the sum of weighed ones has one value."""

import numpy as np
import pytest

from edgestill.federation.aggregation.update import Aggregate, Update
from edgestill.federation.buffered.buffer import staleness_share


@pytest.mark.parametrize(
    ("staleness", "exponent", "share"),
    [
        (0, 0.5, 1.0),
        (1, 0.5, 0.70710678),
        (3, 0.5, 0.5),
        (8, 0.5, 1 / 3),
        (4, 1.0, 0.2),
        (9, 0.0, 1.0),
    ],
)
def test_staleness_counts_as_in_the_paper(staleness, exponent, share):
    assert staleness_share(staleness, exponent) == pytest.approx(share)


def test_a_stale_update_makes_the_step_smaller_and_not_only_the_others_larger():
    fresh = Update(delta={"w": np.array([1.0, -2.0], np.float32)}, examples=10)
    stale = Update(delta={"w": np.array([4.0, 4.0], np.float32)}, examples=30)
    total = Aggregate.of(fresh, staleness_share(0, 0.5)) + Aggregate.of(
        stale, staleness_share(3, 0.5)
    )
    np.testing.assert_allclose(total.mean({"w": (2,)})["w"], [(10 + 60) / 40, (-20 + 60) / 40])
    alone = Aggregate.of(stale, staleness_share(3, 0.5)).mean({"w": (2,)})["w"]
    np.testing.assert_allclose(alone, [2.0, 2.0])


def test_the_weighed_sum_has_the_same_bits_in_any_order():
    rng = np.random.default_rng(0)
    lifted = [
        Aggregate.of(
            Update(delta={"w": rng.normal(size=50).astype(np.float32)}, examples=int(n)),
            staleness_share(int(s), 0.5),
        )
        for n, s in zip(rng.integers(1, 90, 20), rng.integers(0, 12, 20), strict=True)
    ]
    means = []
    for _ in range(3):
        rng.shuffle(lifted)
        means.append(sum(lifted[1:], lifted[0]).mean({"w": (50,)})["w"])
    assert np.array_equal(means[0], means[1])
    assert np.array_equal(means[0], means[2])
