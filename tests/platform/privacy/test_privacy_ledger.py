import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import norm

from edgestill.privacy import Ledger, Release, gaussian_epsilon

RELEASES = st.builds(
    Release,
    what=st.sampled_from(["summary", "update"]),
    noise_multiplier=st.sampled_from([0.0, 1.0]),
    delta=st.just(1e-5),
    releases=st.integers(0, 9),
    bytes=st.integers(0, 1000),
)
LEDGERS = st.lists(RELEASES, max_size=5).map(lambda releases: Ledger.of(*releases))


def exact_epsilon(noise_multiplier, steps, delta):
    """Balle & Wang, ICML 2018, theorem 8, of the one Gaussian that the steps amount to."""
    mu = math.sqrt(steps) / noise_multiplier

    def excess(epsilon):
        left, right = mu / 2 - epsilon / mu, -mu / 2 - epsilon / mu
        return norm.cdf(left) - math.exp(epsilon) * norm.cdf(right) - delta

    return brentq(excess, 0.0, 100.0)


@pytest.mark.parametrize(("noise_multiplier", "steps"), [(1.0, 1), (1.0, 10), (4.0, 1), (2.0, 25)])
def test_epsilon_is_above_the_exact_one_and_near_it(noise_multiplier, steps):
    exact = exact_epsilon(noise_multiplier, steps, 1e-5)
    stated = gaussian_epsilon(noise_multiplier=noise_multiplier, steps=steps, delta=1e-5)
    assert exact <= stated <= 1.15 * exact


def test_epsilon_depends_on_steps_over_noise_squared():
    one = gaussian_epsilon(noise_multiplier=1.0, steps=1, delta=1e-5)
    four = gaussian_epsilon(noise_multiplier=2.0, steps=4, delta=1e-5)
    assert four == pytest.approx(one, rel=1e-6)


def test_without_noise_there_is_no_bound_and_without_release_no_cost():
    assert gaussian_epsilon(noise_multiplier=0.0, steps=1, delta=1e-5) is None
    assert gaussian_epsilon(noise_multiplier=0.0, steps=0, delta=1e-5) == 0.0


@pytest.mark.parametrize(
    ("noise_multiplier", "steps", "delta"),
    [(-1.0, 1, 1e-5), (math.nan, 1, 1e-5), (1.0, -1, 1e-5), (1.0, 1, 0.0), (1.0, 1, 1.0)],
)
def test_arguments_out_of_range_are_refused(noise_multiplier, steps, delta):
    with pytest.raises(ValueError, match="expected"):
        gaussian_epsilon(noise_multiplier=noise_multiplier, steps=steps, delta=delta)


@settings(deadline=None)
@given(LEDGERS, LEDGERS, LEDGERS)
def test_both_sums_are_commutative_associative_and_have_a_zero(a, b, c):
    assert a + b == b + a
    assert a | b == b | a
    assert (a + b) + c == a + (b + c)
    assert (a | b) | c == a | (b | c)
    assert a + Ledger() == a == a | Ledger()


def test_one_device_twice_costs_more_than_two_devices_once():
    update = Ledger.of(Release(what="update", noise_multiplier=1.0, delta=1e-5, bytes=100))
    twice, beside = (update + update).rows()[0], (update | update).rows()[0]
    assert (twice["releases"], twice["bytes"]) == (2, 200)
    assert (beside["releases"], beside["bytes"]) == (1, 200)
    assert twice["epsilon"] > beside["epsilon"] == update.rows()[0]["epsilon"]


def test_rows_are_plain_and_ordered():
    ledger = Ledger.of(
        Release(what="update", noise_multiplier=0.0, delta=1e-5, releases=3, bytes=7),
        Release(what="summary", noise_multiplier=1.0, delta=1e-5),
    )
    rows = json.loads(json.dumps(ledger.rows(), allow_nan=False))
    assert [row["what"] for row in rows] == ["summary", "update"]
    assert rows[1] == {
        "what": "update",
        "mechanism": "none",
        "noise_multiplier": 0.0,
        "releases": 3,
        "epsilon": None,
        "delta": 1e-5,
        "bytes": 7,
    }
    assert rows[0]["mechanism"] == "gaussian"
