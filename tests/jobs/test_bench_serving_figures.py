"""From what ``edgestill bench serving`` counted to its figures and claims."""

import math
from dataclasses import replace

import pytest

from edgestill.jobs.benchmarks.serving import contest, links, verdict
from edgestill.jobs.benchmarks.serving.amount import FULL, SIDES
from edgestill.jobs.benchmarks.serving.contest import Turn
from edgestill.jobs.benchmarks.serving.devices import Asked
from edgestill.jobs.benchmarks.serving.killing import Kill, Outage
from edgestill.jobs.benchmarks.serving.measurements import Found, Harassed
from edgestill.jobs.benchmarks.serving.traffic import (
    Traffic,
)


def turn(per_s=100.0, p99_ms=5.0):
    return Turn(
        per_s=per_s,
        p50_ms=p99_ms / 2,
        p99_ms=p99_ms,
        latencies_ms=[p99_ms / 2, p99_ms],
        failed=0,
        cpu_ms=1.0,
    )


def everyone(ours, fastapi, fastapi_threads):
    """Return two rounds of every side; the figures of three of them are given."""
    known = {"ours": ours, "fastapi": fastapi, "fastapi_threads": fastapi_threads}
    return {name: [known.get(name, turn())] * 2 for name in SIDES}


def asked(at_s, by="cloud", elapsed_s=0.01):
    return Asked(at_s=at_s, elapsed_s=elapsed_s, by=by, reason="asked", rate=1, bytes_sent=9)


OUTAGE = Outage(
    inputs=5,
    deadline_s=0.25,
    asked=[asked(0.0), asked(1.0, "edge"), asked(3.0), asked(4.0, "edge"), asked(5.0, "edge")],
    kills=[Kill(at_s=0.5, back_s=2.0), Kill(at_s=3.5, back_s=4.5)],
)
HARASSED = Harassed(
    statuses={"random_bytes": {"400": 60}, "other_model": {"409": 40}},
    good=10,
    disturbed=0,
    same_process=True,
    grown_bytes=0,
)
FOUND = Found(
    reasons={},
    closed={count: everyone(turn(300.0), turn(200.0), turn(150.0)) for count in FULL.connections},
    equal_per_s=50.0,
    equal=everyone(turn(p99_ms=6.0), turn(p99_ms=9.0), turn(p99_ms=4.0)),
    higher_per_s=90.0,
    higher=everyone(turn(), turn(), turn()),
    links=[links.summed([asked(0.0), asked(1.0, "edge", 0.3)], bytes_per_s=25e3, deadline_s=0.05)],
    outage=OUTAGE,
    harassed=HARASSED,
)


def claims(found):
    return {claim.id: claim for claim in verdict.judged(FULL, found).claims}


def test_ours_is_judged_against_the_better_form_of_fastapi():
    told = claims(FOUND)
    assert told["serving_p99_ratio_vs_fastapi"].value == pytest.approx(6.0 / 4.0)
    assert told["serving_throughput_ratio_vs_fastapi"].value == pytest.approx(1.5)
    assert all(claim.holds for claim in told.values())


def test_a_lost_answer_and_a_late_one_are_counted():
    late = [*OUTAGE.asked[:3], asked(4.0, "edge", elapsed_s=0.26)]
    told = claims(replace(FOUND, outage=replace(OUTAGE, asked=late)))
    assert told["answers_lost_while_cloud_is_down"].value == 1.0
    assert told["answers_late_while_cloud_is_down"].value == 1.0
    assert not told["answers_lost_while_cloud_is_down"].holds


@pytest.mark.parametrize(
    "harassed",
    [
        replace(HARASSED, same_process=False),
        replace(HARASSED, statuses={"random_bytes": {"400": 9, "0": 1}}),
        replace(HARASSED, statuses={"random_bytes": {"400": 9, "500": 1}}),
    ],
)
def test_no_answer_a_fault_and_a_new_process_are_crashes(harassed):
    told = claims(replace(FOUND, harassed=harassed))["bad_frames_crashes"]
    assert (told.value, told.holds) == (1.0, False)


def test_how_long_the_cloud_was_missed_is_told_for_each_kill():
    assert OUTAGE.answers_again_s == [pytest.approx(2.51), None]


def test_a_side_that_does_not_start_is_shown_with_its_reason():
    without = {name: rounds for name, rounds in FOUND.equal.items() if "ray" not in name}
    found = replace(
        FOUND,
        reasons={"ray_serve": "no ray.serve", "ray_serve_batch": "no ray.serve"},
        closed=dict.fromkeys(FULL.connections, without),
        equal=without,
        higher=without,
    )
    measured = verdict.judged(FULL, found)
    assert [row[-1] for row in measured.tables[0].rows if row[0] == "Ray Serve"] == ["no ray.serve"]
    assert all(claim.holds for claim in measured.claims)


def test_the_equal_load_is_what_the_slowest_side_sustains():
    closed = {
        1: everyone(turn(90.0), turn(80.0), turn(70.0)),
        8: everyone(turn(300.0), turn(200.0), turn(150.0)),
    }
    # The sides that are not given have 100 answers per second.
    assert contest.equal_rate_per_s(closed) == 40.0


def test_a_percentile_is_a_value_that_was_met():
    assert contest.percentile([1.0, 2.0, 3.0, 4.0], 0.5) == 2.0
    assert contest.percentile(list(range(1, 201)), 0.99) == 198
    assert math.isnan(contest.percentile([], 0.5))


def test_every_round_begins_with_another_side():
    played = []

    class Side:
        def __init__(self, name):
            self.name = name

        def cpu_s(self):
            return 0.0

    def play(side, number):
        played.append((number, side.name))
        return Traffic(latencies_s=[0.001], statuses={200: 1}, wall_s=1.0)

    contest.in_turns({name: Side(name) for name in "abc"}, 3, play)
    assert [name for _, name in played] == [*"abc", *"bca", *"cab"]
