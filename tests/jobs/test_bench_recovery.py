"""The counting of ``edgestill bench recovery``."""

import math
import subprocess
import sys

import psutil

from edgestill.jobs.benchmarks import recovery
from edgestill.jobs.benchmarks.recovery import Round, Scenario

SCENARIO = Scenario(devices=8, rounds=5, kills={2: 1, 4: 2})


def rounds(*lost):
    return [
        Round(number=n, seconds=1.0, lost=one, killed=SCENARIO.kills.get(n, 0))
        for n, one in enumerate(lost, start=1)
    ]


def claim(ours, flower=(0, 3, 4, 8, 8)):
    played = {"vectorized": rounds(*ours), "flower": rounds(*flower)}
    measured = recovery.judged(SCENARIO, played, {})
    return measured, measured.claims[0]


def test_the_worst_round_from_the_first_kill_on_counts():
    assert claim((0, 0, 0, 0, 0))[1].holds
    assert claim((5, 0, 0, 0, 0))[1].value == 0.0
    _, failing = claim((0, 0, 2, 0, 1))
    assert (failing.value, failing.holds) == (2.0, False)


def test_rounds_that_were_not_played_prove_nothing():
    assert math.isnan(recovery.worst_loss(rounds(0), SCENARIO.first_kill))


def test_losses_are_told_by_phase():
    assert recovery.lost_by_phase(rounds(0, 3, 4, 8, 7)) == [
        {"killed": 0, "lost": [0]},
        {"killed": 1, "lost": [3, 4]},
        {"killed": 2, "lost": [8, 7]},
    ]


def test_the_table_has_both_sides_beside_each_other_and_gaps_where_one_ended_early():
    measured, _ = claim((0, 0, 0, 0, 0), flower=(0, 3))
    assert [row[:5] for row in measured.tables[0].rows][1:3] == [
        ("2", "1", "0", "1.00", "3"),
        ("3", "", "0", "1.00", "-"),
    ]


def test_workers_are_killed_for_good():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    assert recovery._kill([psutil.Process(process.pid)], 0.01) >= 0.01
    assert process.wait(timeout=10) == -9
