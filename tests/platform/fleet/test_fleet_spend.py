import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgestill.fleet import Vitals, Work, compute_share, fits, profile, spend

CALM = Vitals(
    cpu_ratio=0.0,
    free_memory_bytes=1e9,
    battery_ratio=1.0,
    temperature_c=25.0,
    bandwidth_ratio=1.0,
    available=True,
)
WORK = Work(flops=3e9, downlink_bytes=160_000, uplink_bytes=75_000, memory_bytes=50e6)


def test_golden_figures_of_a_phone() -> None:
    spent = spend(profile("phone"), CALM, WORK)
    assert spent.compute_s == pytest.approx(0.2)
    assert spent.downlink_s == pytest.approx(0.128)
    assert spent.uplink_s == pytest.approx(0.128)
    assert spent.total_s == pytest.approx(0.456)
    assert spent.energy_j == pytest.approx(3.0 * 0.2 + 1.3 * 0.256)


def test_a_competing_load_takes_at_most_half() -> None:
    assert [compute_share(u) for u in (0.0, 0.5, 1.0)] == [1.0, 0.75, 0.5]
    busy = spend(profile("phone"), replace(CALM, cpu_ratio=1.0), WORK)
    assert busy.compute_s == pytest.approx(0.4)


def test_heat_halves_the_rate_only_above_the_throttling_temperature() -> None:
    limit_c = profile("phone").throttle_c
    at_limit = spend(profile("phone"), replace(CALM, temperature_c=limit_c), WORK)
    above = spend(profile("phone"), replace(CALM, temperature_c=limit_c + 0.1), WORK)
    assert at_limit.compute_s == pytest.approx(0.2)
    assert above.compute_s == pytest.approx(0.4)


def test_an_empty_transfer_costs_nothing_not_even_a_round_trip() -> None:
    spent = spend(profile("phone"), CALM, replace(WORK, downlink_bytes=0, uplink_bytes=0))
    assert spent.total_s == spent.compute_s


def test_a_dead_link_takes_for_ever() -> None:
    dead = replace(CALM, bandwidth_ratio=0.0)
    assert spend(profile("phone"), dead, WORK).total_s == math.inf
    assert math.isfinite(
        spend(profile("phone"), dead, replace(WORK, downlink_bytes=0, uplink_bytes=0)).total_s
    )


def test_work_that_exceeds_the_memory_does_not_fit() -> None:
    assert fits(CALM, WORK)
    assert not fits(replace(CALM, free_memory_bytes=8e6), WORK)


@given(
    flops=st.floats(0, 1e12),
    cpu=st.floats(0, 1),
    more_cpu=st.floats(0, 1),
    link=st.floats(0.01, 1),
    size=st.integers(0, 10**8),
)
def test_worse_conditions_never_cost_less(
    flops: float, cpu: float, more_cpu: float, link: float, size: int
) -> None:
    work = Work(flops=flops, downlink_bytes=size, uplink_bytes=size, memory_bytes=0)
    good = replace(CALM, cpu_ratio=min(cpu, more_cpu))
    bad = replace(CALM, cpu_ratio=max(cpu, more_cpu), bandwidth_ratio=link, temperature_c=200.0)
    better, worse = (spend(profile("wearable"), vitals, work) for vitals in (good, bad))
    assert worse.total_s >= better.total_s >= 0
    assert worse.energy_j >= better.energy_j >= 0
