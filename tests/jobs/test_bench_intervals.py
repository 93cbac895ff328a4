import numpy as np
import pytest
from scipy import stats

from edgestill.jobs.benchmarks.intervals import interval, mean_of


def test_the_interval_is_that_of_a_one_sample_t_test():
    values = [0.61, 0.64, 0.6, 0.71]
    expected = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    found = interval(values)
    assert (found["low_95"], found["high_95"]) == pytest.approx((expected.low, expected.high))
    assert mean_of(values) == {"mean": pytest.approx(np.mean(values)), **found}


def test_one_value_is_its_own_mean_and_has_no_interval():
    assert mean_of([0.25]) == {"mean": 0.25, "low_95": None, "high_95": None}


def test_equal_values_have_an_interval_of_no_width():
    assert interval([0.5, 0.5, 0.5]) == {"low_95": 0.5, "high_95": 0.5}


@pytest.mark.parametrize("call", [interval, mean_of])
def test_no_values_have_neither_mean_nor_interval(call):
    with pytest.raises(ValueError, match="at least one"):
        call([])
