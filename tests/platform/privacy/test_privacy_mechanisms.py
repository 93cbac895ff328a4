import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgestill.privacy import add_gaussian_noise, clip_by_norm

ARRAYS = st.dictionaries(
    st.text(max_size=4),
    hnp.arrays(
        np.float32,
        hnp.array_shapes(max_dims=2, max_side=5),
        elements=st.floats(-1e6, 1e6, width=32),
    ),
    max_size=4,
)


def norm_of(arrays):
    return math.sqrt(sum(float(np.square(a, dtype=np.float64).sum()) for a in arrays.values()))


def test_norm_is_joint_over_all_arrays():
    arrays = {"a": np.array([3.0], np.float32), "b": np.array([[0.0, 4.0]], np.float32)}
    clipped, before = clip_by_norm(arrays, 1.0)
    assert before == 5.0
    np.testing.assert_allclose(clipped["a"], [0.6], rtol=1e-6)
    np.testing.assert_allclose(clipped["b"], [[0.0, 0.8]], rtol=1e-6)


@settings(deadline=None)
@given(arrays=ARRAYS, clip_norm=st.floats(1e-3, 1e3))
def test_clipping_bounds_the_norm_and_leaves_small_updates_alone(arrays, clip_norm):
    clipped, before = clip_by_norm(arrays, clip_norm)
    assert before == pytest.approx(norm_of(arrays))
    assert norm_of(clipped) <= clip_norm * (1 + 1e-6)
    if before <= clip_norm:
        for name, array in arrays.items():
            np.testing.assert_array_equal(clipped[name], array)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_update_that_diverged_is_refused(value):
    with pytest.raises(ValueError, match="NaN or infinity"):
        clip_by_norm({"a": np.array([value], np.float32)}, 1.0)


def test_a_clip_norm_of_zero_is_refused():
    with pytest.raises(ValueError, match="clip_norm is 0"):
        clip_by_norm({}, 0)


def test_noise_has_the_stated_deviation_and_follows_its_generator():
    arrays = {"a": np.zeros((200, 200), np.float32), "b": np.full(3, 5.0, np.float32)}
    noised = add_gaussian_noise(arrays, stddev=2.0, rng=np.random.default_rng(0))
    again = add_gaussian_noise(arrays, stddev=2.0, rng=np.random.default_rng(0))
    assert noised["a"].std() == pytest.approx(2.0, rel=0.02)
    assert abs(noised["a"].mean()) < 5 * 2.0 / 200
    assert noised["a"].dtype == np.float32
    np.testing.assert_array_equal(noised["b"], again["b"])
    assert not arrays["a"].any()


def test_no_noise_copies():
    arrays = {"a": np.ones(2, np.float32)}
    same = add_gaussian_noise(arrays, stddev=0.0, rng=np.random.default_rng(0))
    same["a"][0] = 7
    assert arrays["a"][0] == 1


@pytest.mark.parametrize("stddev", [-1.0, math.nan, math.inf])
def test_a_wrong_deviation_is_refused(stddev):
    with pytest.raises(ValueError, match="stddev"):
        add_gaussian_noise({}, stddev=stddev, rng=np.random.default_rng(0))
