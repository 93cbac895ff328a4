"""Attribute inference: users are told apart where features carry them, and only there."""

import numpy as np
import pytest

from edgestill.privacy.attacks import infer_attribute, wilson_interval

USERS = 5


def voices(count, seed, *, carried=3.0, size=12):
    rng = np.random.default_rng(seed)
    users = rng.integers(0, USERS, count)
    styles = np.random.default_rng(99).normal(size=(USERS, size))
    return (carried * styles[users] + rng.normal(size=(count, size))).astype(np.float32), users


def test_features_that_carry_the_user_give_him_away():
    found = infer_attribute(*voices(200, 0), *voices(100, 1), seed=0)
    assert found.accuracy > 0.95
    assert found.accuracy_low < found.accuracy <= found.accuracy_high
    assert found.chance < 0.4


def test_features_that_do_not_leave_chance():
    found = infer_attribute(*voices(300, 0, carried=0.0), *voices(300, 1, carried=0.0), seed=0)
    assert found.accuracy_low < 1 / USERS + 0.05
    assert abs(found.accuracy - 1 / USERS) < 0.08


def test_shuffled_attributes_leave_chance():
    seen, users = voices(300, 0)
    test_seen, test_users = voices(300, 1)
    shuffled = np.random.default_rng(2).permutation(users)
    found = infer_attribute(seen, shuffled, test_seen, test_users, seed=0)
    assert abs(found.accuracy - 1 / USERS) < 0.1


def test_chance_is_the_attackers_most_frequent_answer():
    seen, users = voices(100, 0, carried=0.0)
    skewed = np.where(np.arange(100) < 70, 4, users)
    found = infer_attribute(seen, skewed, seen[:10], np.array([4] * 3 + [1] * 7), seed=0)
    assert found.chance == 0.3


def test_the_mlp_reads_what_a_line_cannot():
    rng = np.random.default_rng(3)

    def rings(count):
        users = rng.integers(0, 2, count)
        angles = rng.uniform(0, 2 * np.pi, count)
        radii = 1.0 + users + rng.normal(0, 0.1, count)
        return (
            np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1).astype(np.float32),
            users,
        )

    found = infer_attribute(*rings(400), *rings(200), seed=0)
    assert found.probe == "mlp"
    assert found.accuracy > 0.9


def test_many_features_are_reduced():
    found = infer_attribute(*voices(60, 0, size=900), *voices(40, 1, size=900), seed=0)
    assert found.accuracy > 0.9


def test_a_user_that_the_attacker_never_met_is_not_found():
    seen, users = voices(200, 0)
    test_seen, test_users = voices(50, 1)
    found = infer_attribute(seen, users, test_seen, test_users + USERS, seed=0)
    assert found.accuracy == 0.0


def test_golden_interval():
    # Wilson, 8 of 10: 0.4902 to 0.9433.
    assert wilson_interval(8, 10) == (
        pytest.approx(0.4902, abs=1e-4),
        pytest.approx(0.9433, abs=1e-4),
    )
    assert wilson_interval(0, 4)[0] == 0.0


@pytest.mark.parametrize(
    ("count", "attributes", "said"),
    [(20, 19, "one attribute for each"), (5, 5, "at least 10"), (20, 20, "one attribute; there")],
)
def test_wrong_samples_are_refused(count, attributes, said):
    seen = np.ones((count, 2), np.float32)
    with pytest.raises(ValueError, match=said):
        infer_attribute(
            seen, np.zeros(attributes, np.int64), seen, np.zeros(count, np.int64), seed=0
        )
