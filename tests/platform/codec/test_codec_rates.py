"""The rate with the most bytes that arrive in time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgestill.codec.rates import choose_rate
from edgestill.errors import RateError


def test_the_largest_that_fits_is_taken():
    chosen = [
        choose_rate(
            [1000, 2000, 4000], bandwidth_bytes_per_s=bandwidth, deadline_s=0.1, compute_s=0.02
        )
        for bandwidth in (12_500, 25_000, 49_999, 50_000, 1e9)
    ]
    assert chosen == [0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("bandwidth", "deadline_s"), [(0.0, 0.1), (100.0, 0.1), (1e9, 0.01), (1e9, 0.02)]
)
def test_none_that_fits_is_an_error_that_says_so(bandwidth, deadline_s):
    with pytest.raises(RateError, match="no rate fits: the smallest has 1000 bytes"):
        choose_rate(
            [1000, 2000], bandwidth_bytes_per_s=bandwidth, deadline_s=deadline_s, compute_s=0.02
        )


@given(
    st.lists(st.integers(0, 10**6), min_size=1, max_size=6),
    st.floats(0, 1e6),
    st.floats(0, 10),
    st.floats(0, 10),
)
def test_what_is_chosen_fits_and_nothing_that_fits_is_larger(
    sizes, bandwidth, deadline_s, compute_s
):
    budget = (deadline_s - compute_s) * bandwidth if deadline_s >= compute_s else -1.0
    try:
        rate = choose_rate(
            sizes, bandwidth_bytes_per_s=bandwidth, deadline_s=deadline_s, compute_s=compute_s
        )
    except RateError:
        assert all(size > budget for size in sizes)
    else:
        assert sizes[rate] <= budget
        assert all(size <= sizes[rate] or size > budget for size in sizes)


@pytest.mark.parametrize("figure", [-1.0, float("nan"), float("inf")])
def test_figures_that_are_none_are_refused(figure):
    with pytest.raises(ValueError, match="finite and not negative"):
        choose_rate([1], bandwidth_bytes_per_s=figure, deadline_s=1.0, compute_s=0.0)
    with pytest.raises(ValueError, match="finite and not negative"):
        choose_rate([], bandwidth_bytes_per_s=1.0, deadline_s=1.0, compute_s=0.0)
