"""The claims of ``edgestill bench signals`` can fail."""

import pytest

from edgestill.allocation import Level
from edgestill.jobs.benchmarks.signals import CYCLE, Played, _claims

H, M, L, C = Level
ONE_CYCLE = (H, C, C, L, M, H)


def played(*levels):
    return [
        Played(cpu_ratio=cpu_ratio, level=level, reason="", decided_after_s=0.5)
        for cpu_ratio, level in zip(CYCLE * (len(levels) // len(CYCLE)), levels, strict=True)
    ]


def verdicts(over_http, in_process):
    rises = len(over_http) // len(CYCLE)
    return [claim.holds for claim in _claims(over_http, in_process, rises)]


def test_all_hold_where_each_rise_is_one_fall_at_once_and_one_return():
    run = played(*ONE_CYCLE, *ONE_CYCLE)
    assert verdicts(run, run) == [True] * 4


@pytest.mark.parametrize(
    ("cycle", "failing"),
    [
        ((H, H, C, L, M, H), {0, 1}),
        ((H, C, L, C, M, H), {0, 2}),
        ((H, C, C, C, L, M), {0, 3}),
        ((H, H, H, H, H, H), {0, 1, 3}),
    ],
)
def test_each_claim_fails_where_it_should(cycle, failing):
    found = verdicts(played(*ONE_CYCLE, *cycle), played(*ONE_CYCLE, *ONE_CYCLE))
    assert {index for index, holds in enumerate(found) if not holds} == failing
