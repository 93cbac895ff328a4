"""The arithmetic of ``edgestill bench scale``: growth, memory by process, claims."""

import math
import os
import subprocess
import sys
import time

import pytest

from edgestill.jobs.benchmarks import scale
from edgestill.jobs.benchmarks.scale import LARGE, SMALL, Size, Taken
from edgestill.jobs.benchmarks.scale_fit import fit_growth
from edgestill.jobs.benchmarks.scale_memory import Sampler, total_uss_bytes

MB = 1_000_000


def test_the_exponent_of_a_power_law_is_found():
    sizes = [100, 1_000, 10_000]
    growth = fit_growth(sizes, [3.0 * size**0.75 for size in sizes])
    assert growth.exponent == pytest.approx(0.75)
    assert growth.standard_error == pytest.approx(0.0, abs=1e-9)


def test_points_off_the_line_widen_the_error():
    growth = fit_growth([1, 10, 100, 1], [1.0, 20.0, 100.0, 1.5])
    assert 0.05 < growth.standard_error < 0.3
    assert math.isnan(fit_growth([1, 10], [1.0, 10.0]).standard_error)


@pytest.mark.parametrize(("x", "y"), [([5, 5], [1.0, 2.0]), ([1, 2], [0.0, 1.0])])
def test_what_is_no_power_law_is_refused(x, y):
    with pytest.raises(ValueError, match="power law"):
        fit_growth(x, y)


def taken(participants, population, seconds, *, coordinator=200 * MB, cohort=300 * MB, lost=0):
    peaks = {
        "cohort 1": {"uss_bytes": cohort, "rss_bytes": 2 * cohort},
        "coordinator": {"uss_bytes": coordinator, "rss_bytes": 2 * coordinator},
        "ray service 1": {"uss_bytes": 999 * MB, "rss_bytes": 999 * MB},
    }
    size = Size(participants=participants, population=population, rounds=len(seconds))
    return Taken(size=size, ready_s=5.0, seconds=seconds, lost=lost, peaks=peaks)


def claims(*, many_s=(10.0,), many_memory=200 * MB, large_memory=200 * MB, large_many_s=None):
    sizes = [
        taken(100, SMALL, [0.1, 0.1]),
        taken(1_000, SMALL, [1.0, 1.0]),
        taken(10_000, SMALL, list(many_s), coordinator=many_memory),
        taken(1_000, LARGE, [1.1], coordinator=large_memory),
    ]
    if large_many_s is not None:
        sizes.append(taken(10_000, LARGE, [large_many_s]))
    return {claim.id: claim for claim in scale.judged(sizes).claims}


def test_every_claim_is_judged_from_its_sizes():
    found = claims()
    assert all(claim.holds for claim in found.values())
    assert found["round_s_10k_participants"].value == 10.0
    assert found["coordinator_memory_growth_ratio_1k_to_10k"].value == 0.0
    assert found["time_growth_exponent"].value == pytest.approx(1.0)
    assert found["population_bytes_per_device"].value == 0.0


@pytest.mark.parametrize(
    ("changes", "claim"),
    [
        ({"many_s": (61.0,)}, "round_s_10k_participants"),
        ({"large_many_s": 61.0}, "round_s_10k_participants"),
        ({"many_memory": 230 * MB}, "coordinator_memory_growth_ratio_1k_to_10k"),
        ({"many_s": (12.0,)}, "time_growth_exponent"),
        ({"large_memory": 300 * MB}, "population_bytes_per_device"),
    ],
)
def test_each_claim_fails_where_it_should(changes, claim):
    assert not claims(**changes)[claim].holds


def test_only_the_coordinator_and_the_actors_count_as_what_a_population_adds():
    assert total_uss_bytes(taken(100, SMALL, [1.0]).peaks) == 500 * MB


def test_the_sampler_sees_a_process_and_what_it_starts():
    held = "held = bytearray(b'1' * 60_000_000); import time; time.sleep(60)"
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {held!r}]).wait()"
    process = subprocess.Popen(  # noqa: S603 - our own code
        [sys.executable, "-c", code], start_new_session=True
    )
    try:
        with Sampler(process.pid) as sampler:
            until = time.monotonic() + 30
            while (
                len(sampler.peaks) < 2
                or max(peak["uss_bytes"] for peak in sampler.peaks.values()) < 60 * MB
            ):
                assert time.monotonic() < until
                time.sleep(0.05)
    finally:
        os.killpg(process.pid, 9)
        process.wait()
    found = sampler.by_process()
    assert set(found) == {"coordinator", "ray service 1"}
    assert found["coordinator"]["uss_bytes"] < 60 * MB <= found["ray service 1"]["uss_bytes"]
