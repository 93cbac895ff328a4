"""Which cohort gets the next chunk, from what is under way; no actor is started."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from edgestill.actors.flights import LONG_S, Flights
from edgestill.actors.work import Pace


class Open:
    """As much of a pool as the choice asks for."""

    def open(self):
        return [0, 1]


def flights_with(*under_way):
    """Flights with chunks of (cohort, foretold seconds) just sent."""
    flights = Flights(cast(Any, Open()), cast(Any, None), Pace(), cast(Any, None))
    for number, (cohort, foretold_s) in enumerate(under_way):
        flights._under_way[number] = cast(
            Any,
            SimpleNamespace(
                cohort=cohort,
                chunk=SimpleNamespace(alone=False),
                foretold_s=foretold_s,
                sent_s=float("inf"),
            ),
        )
    return flights


def test_a_cohort_that_has_nothing_comes_first():
    assert flights_with((0, 0.01))._soonest_free() == 1


@pytest.mark.parametrize(("foretold_s", "expected"), [(LONG_S / 2, 0), (LONG_S, None)])
def test_a_long_chunk_is_done_before_the_next_is_bound_to_its_cohort(foretold_s, expected):
    assert flights_with((0, foretold_s), (1, foretold_s * 2))._soonest_free() == expected


def test_nobody_gets_a_third_chunk():
    assert flights_with((0, 0.01), (0, 0.01), (1, 0.01), (1, 0.01))._soonest_free() is None
