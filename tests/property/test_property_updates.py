"""The laws of what travels upwards, over any updates of any shapes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgestill.errors import RunError
from edgestill.federation import Aggregate, Update, combine

FULL = {"a": (3, 2), "b": (4,), "scalar": ()}

values = st.floats(-10, 10, width=32)


@st.composite
def updates(draw):
    """An update of some arrays, each a leading block of the full one."""
    names = draw(st.sets(st.sampled_from(sorted(FULL)), min_size=1))
    delta = {}
    for name in sorted(names):
        shape = tuple(draw(st.integers(1, length)) for length in FULL[name])
        size = int(np.prod(shape))
        numbers = draw(st.lists(values, min_size=size, max_size=size))
        delta[name] = np.array(numbers, np.float32).reshape(shape)
    return Update(delta=delta, examples=draw(st.integers(1, 1000)))


def equal(left: Aggregate, right: Aggregate) -> bool:
    """Whether two aggregates have the same bits."""
    return (
        left.sums.keys() == right.sums.keys()
        and all(np.array_equal(left.sums[key], right.sums[key]) for key in left.sums)
        and left.weights == right.weights
        and left.magnitude == right.magnitude
        and left.updates == right.updates
    )


def reference(some, shapes):
    """The weighted mean, element by element, in float64."""
    means = {}
    for name, shape in shapes.items():
        total, weight = np.zeros(shape), np.zeros(shape)
        for update in some:
            if name in update.delta:
                where = tuple(slice(length) for length in update.delta[name].shape)
                total[where] += update.delta[name].astype(np.float64) * update.examples
                weight[where] += update.examples
        means[name] = np.divide(total, weight, out=np.zeros(shape), where=weight > 0)
    return means


@settings(deadline=None, max_examples=80)
@given(updates(), updates(), updates())
def test_addition_is_associative_and_commutative_to_the_bit(one, two, three):
    a, b, c = map(Aggregate.of, (one, two, three))
    assert equal((a + b) + c, a + (b + c))
    assert equal(a + b, b + a)
    assert equal(a + Aggregate.zero(), a)
    assert equal(Aggregate.zero() + a, a)


@settings(deadline=None, max_examples=60)
@given(st.lists(updates(), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_any_grouping_in_any_order_gives_the_same_mean(some, random):
    shuffled = random.sample(some, len(some))
    groups = [[] for _ in range(3)]
    for update in shuffled:
        random.choice(groups).append(update)
    sums = [combine([Aggregate.of(update) for update in group]) for group in groups]
    total, straight = combine(sums), combine([Aggregate.of(update) for update in some])
    assert equal(total, straight)
    left, right = total.mean(FULL), straight.mean(FULL)
    assert all(np.array_equal(left[name], right[name]) for name in FULL)


@settings(deadline=None, max_examples=80)
@given(st.lists(updates(), min_size=1, max_size=6))
def test_the_mean_is_that_of_float64(some):
    total = combine([Aggregate.of(update) for update in some])
    expected = reference(some, FULL)
    for name, mean in total.mean(FULL).items():
        assert mean.dtype == np.float32
        assert mean.shape == FULL[name]
        np.testing.assert_allclose(mean, expected[name], atol=1e-6, rtol=1e-6)


@settings(deadline=None, max_examples=40)
@given(updates(), updates())
def test_adding_changes_neither_side(one, two):
    a, b = Aggregate.of(one), Aggregate.of(two)
    before = {key: array.copy() for key, array in a.sums.items()}
    assert equal(a, Aggregate.of(one))
    _ = a + b
    assert all(np.array_equal(a.sums[key], before[key]) for key in before)


@settings(deadline=None, max_examples=60)
@given(st.floats(2.0**-10, 2.0**127, width=32), st.integers(1, 10**6))
def test_a_sum_that_could_overflow_is_refused_and_any_other_is_right(value, examples):
    update = Update(delta={"b": np.array([value, -value, 0, 1], np.float32)}, examples=examples)
    if value * examples > 2**30:
        with pytest.raises(RunError, match=r"lower privacy\.update_clip_norm"):
            Aggregate.of(update)
    else:
        mean = Aggregate.of(update).mean({"b": (4,)})["b"]
        np.testing.assert_allclose(mean, update.delta["b"], rtol=1e-6, atol=1e-6)


def test_sums_add_up_to_the_bound_and_no_further():
    half = Aggregate.of(Update(delta={"b": np.full(4, 2.0**29, np.float32)}, examples=1))
    assert (half + half).mean({"b": (4,)})["b"].tolist() == [2.0**29] * 4
    with pytest.raises(RunError, match="add up to"):
        _ = half + half + half


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused(bad):
    delta = {"a": np.ones((3, 2), np.float32), "b": np.array([0, bad, 0, 0], np.float32)}
    with pytest.raises(RunError):
        Aggregate.of(Update(delta=delta, examples=1))
