import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgestill.report.units import amount, duration, number, percent, points

PREFIXES = {"": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 B"), (999, "999 B"), (999.6, "1 kB"), (1536, "1.54 kB"), (-2e6, "-2 MB"), (None, "-")],
)
def test_amounts_are_decimal_with_three_digits(value: float | None, text: str) -> None:
    assert amount(value, "B") == text


@given(st.floats(min_value=1e-3, max_value=9.9e20))
def test_an_amount_reads_back_within_its_digits(value: float) -> None:
    found = re.fullmatch(r"([0-9.]+) ([kMGTPE]?)J", amount(value, "J"))
    assert found is not None
    read = float(found[1]) * 10 ** PREFIXES[found[2]]
    assert math.isclose(read, value, rel_tol=0.0051)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.8412, "0.841 s"),
        (84.3, "84.3 s"),
        (99.97, "1 min 40 s"),
        (725, "12 min 05 s"),
        (11_100, "3 h 05 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_ratios_points_and_plain_numbers() -> None:
    assert (percent(0.9141), percent(None)) == ("91.4 %", "-")
    assert (points(0.0324), points(-0.05)) == ("+3.2", "-5.0")
    assert [number(value) for value in (12_345, 1e-5, True, None, "<= 5")] == [
        *("12,345", "1e-05", "True", "-", "<= 5")
    ]
