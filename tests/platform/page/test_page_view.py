"""What each event changes in what is shown, and that nothing grows without bound."""

from functools import reduce

import pytest
from page_events import begun, ended, gauges, line, round_ended, round_started, row, stage

from edgestill.page import RunView, fold, read_gauges
from edgestill.page.events import RoundEnded
from edgestill.page.view import (
    MOST_DECISIONS,
    MOST_LINES,
    MOST_POINTS,
    MOST_ROWS,
    matching,
    thinned,
)
from edgestill.telemetry import MetricStore


def view_of(*events) -> RunView:
    return reduce(fold, events, RunView())


def test_a_round_under_way_is_told_from_one_that_is_over():
    view = view_of(begun(), round_started(3))
    assert (view.round_number, view.participants) == (3, 20)
    view = fold(view, round_ended(3))
    assert (view.round_number, view.participants) == (3, None)


def test_bytes_and_joules_add_up_over_the_rounds():
    view = view_of(begun(), round_ended(1), round_ended(2))
    first, second = view.points
    assert (first.bytes, first.uplink_bytes, first.energy_j) == (3500, 1000, 30.0)
    assert (second.bytes, second.uplink_bytes, second.energy_j) == (7000, 2000, 60.0)


def test_decisions_come_newest_first_and_say_what_the_level_was_before():
    view = view_of(begun(), round_ended(1), round_ended(2, "critical"))
    chosen = {(one.round_number, one.group): one for one in view.decisions}
    assert [one.round_number for one in view.decisions] == [2, 2, 1, 1]
    changed = chosen[2, "boards"]
    assert (changed.level, changed.before, changed.reason) == ("critical", "high", "so critical")
    assert chosen[2, "phones"].before is None
    assert chosen[1, "boards"].before is None


def test_the_state_of_a_decision_comes_from_the_row_if_it_is_there_else_from_the_metrics():
    held = {"phones": "fresh", "boards": "held"}
    said = view_of(begun(), round_ended(1, decision_states=held))
    assert [one.state for one in said.decisions] == ["fresh", "held"]
    measured = view_of(begun(), RoundEnded(row=row(1), gauges=gauges(states={"boards": "safe"})))
    assert [one.state for one in measured.decisions] == ["", "safe"]


def test_rounds_played_before_the_run_was_taken_up_again_leave_the_gauges_alone():
    view = view_of(begun(), RoundEnded(row=row(1), gauges=None))
    assert view.gauges == RunView().gauges
    assert len(view.points) == 1


def test_a_stage_is_replaced_by_its_newest_state_and_keeps_its_place():
    view = view_of(stage("teacher", 0, 5), stage("rounds", 0, 10), stage("teacher", 5, 5))
    assert [(one.stage, one.done) for one in view.stages] == [("teacher", 5), ("rounds", 0)]


def test_a_run_that_has_ended_has_no_round_under_way():
    view = view_of(begun(), round_started(1), ended("failed", "round 1: all devices failed"))
    assert view.participants is None
    assert view.end is not None
    assert view.end.outcome == "failed"


def test_nothing_grows_with_the_length_of_the_run():
    events = [e for n in range(1, 1001) for e in (round_ended(n), line(f"line {n}"))]
    view = view_of(begun(), *events)
    assert [len(view.lines), len(view.decisions), len(view.rows)] == [
        MOST_LINES,
        MOST_DECISIONS,
        MOST_ROWS,
    ]
    assert len(view.points) <= MOST_POINTS
    assert view.lines[0].text == "line 1000"
    assert view.rows[0]["round"] == view.points[-1].round_number == 1000
    assert view.points[0].round_number == 1
    assert view.points[-1].bytes == 1000 * 3500


def test_thinning_keeps_the_first_and_the_newest_in_order():
    points = view_of(*(round_ended(n) for n in range(1, 8))).points
    assert [point.round_number for point in thinned(points, 6)] == [1, 3, 5, 7]
    assert thinned(points, 7) == points


@pytest.mark.parametrize(
    ("text", "level", "found"),
    [
        ("", "INFO", ["replaced", "timed out", "Ended"]),
        ("", "WARNING", ["replaced", "timed out"]),
        ("", "ERROR", ["timed out"]),
        ("device=17", "INFO", ["timed out"]),
        ("STAGE=pool round=3", "INFO", ["replaced"]),
        ("ended", "INFO", ["Ended"]),
        ("round=3 nothing", "INFO", []),
    ],
)
def test_lines_are_found_by_words_fields_and_level(text, level, found):
    lines = [
        line("replaced", "WARNING", round_number="3", stage="pool"),
        line("timed out", "ERROR", device="17"),
        line("Ended"),
    ]
    assert [one.text for one in matching(lines, text, level)] == found


def test_gauges_are_read_from_a_metric_store():
    store = MetricStore()
    store.set("edgestill_group_devices", 24, group="phones", profile="phone")
    store.set("edgestill_group_cpu_ratio", 0.95, group="phones")
    for level, here in (("high", 0), ("critical", 1)):
        store.set("edgestill_group_level", here, group="phones", level=level)
    for state, here in (("fresh", 0), ("held", 1), ("safe", 0)):
        store.set("edgestill_group_decision", here, group="phones", state=state)
    store.set("edgestill_actors", 2, tier="cohort")
    store.inc("edgestill_actor_restarts_total", 3, tier="cohort")
    store.inc("edgestill_devices_lost_total", 4)
    store.set("edgestill_privacy_epsilon", float("inf"), what="update")
    store.set("edgestill_accuracy_ratio", 0.9, model="teacher", split="test")
    store.set("edgestill_accuracy_ratio", 0.1, model="student", split="test")
    read = read_gauges(store.snapshot())
    assert read.devices == {"phones": 24}
    assert read.vitals["phones"].cpu_ratio == 0.95
    assert read.vitals["phones"].battery_ratio is None
    assert read.levels == {"phones": "critical"}
    assert read.states == {"phones": "held"}
    assert (read.actors, read.restarts, read.devices_lost) == ({"cohort": 2}, {"cohort": 3}, 4)
    assert read.epsilon == {"update": float("inf")}
    assert read.teacher_accuracy == 0.9
