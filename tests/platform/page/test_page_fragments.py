"""What is shown of a view: sentences, tables, charts; text from outside stays text."""

import json
import re
from functools import reduce
from importlib.resources import files

import pytest
from page_events import begun, ended, gauges, line, round_ended, round_started, stage

from edgestill.page import RunView, fold
from edgestill.page.cells import meter, spoken
from edgestill.page.charts import CHARTS, options
from edgestill.page.charts import spoken as chart_in_words
from edgestill.page.events import RoundStarted
from edgestill.page.heading import headline, stages, status, tiles
from edgestill.page.tables import decisions, engine, fleet, log, privacy, rounds

EVIL = "<script>alert(1)</script>"


def view_of(*events) -> RunView:
    return reduce(fold, events, RunView())


@pytest.mark.parametrize(
    ("events", "sentence"),
    [
        ((), "Getting ready."),
        ((stage("teacher", 2, 5),), "Under way: teacher."),
        ((begun(), stage("rounds", 0, 10)), "The devices say hello."),
        (
            (begun(), stage("rounds", 0, 10), round_started(1)),
            "Round 1 of 10 under way on 20 devices.",
        ),
        ((begun(), stage("rounds", 1, 10), round_ended(1)), "Round 1 of 10 done."),
        (
            (begun(), stage("rounds", 10, 10), round_ended(10), stage("fedavg", 1, 10)),
            "Under way: fedavg.",
        ),
        ((begun(), stage("rounds", 10, 10), round_ended(10)), "The rounds are over."),
        (
            (begun(), ended(report="/runs/demo-1/report.html")),
            "The run is done: accuracy 88.0 %. Report: /runs/demo-1/report.html",
        ),
        (
            (begun(), ended("failed", "no device answered")),
            "The run has failed: no device answered.",
        ),
    ],
)
def test_one_sentence_says_what_goes_on(events, sentence):
    assert status(view_of(*events)) == sentence


def test_text_from_outside_stays_text_everywhere():
    view = view_of(
        begun(name=EVIL, folder=EVIL, policy=EVIL, profiles={EVIL: EVIL}),
        stage(EVIL, 1, 2, EVIL),
        round_ended(
            1,
            levels={EVIL: EVIL},
            reasons={EVIL: EVIL},
            devices_by_level={EVIL: {EVIL: 1}},
            decision_states={EVIL: EVIL},
        ),
        RoundStarted(
            round_number=2,
            participants=1,
            gauges=gauges(
                levels={EVIL: EVIL}, epsilon={EVIL: 1.0}, actors={EVIL: 1}, restarts={EVIL: 1}
            ),
        ),
        line(EVIL, EVIL, device=EVIL, stage=EVIL, round_number=EVIL),
    )
    shown = [
        *(make(view) for make in (headline, stages, tiles, fleet, decisions, rounds)),
        *(privacy(view), engine(view), log(view.lines)),
    ]
    assert all("<script" not in part for part in shown)
    assert sum("&lt;script&gt;" in part for part in shown) == 7


def test_a_group_shows_its_level_now_and_over_the_rounds_and_its_vitals():
    view = view_of(begun(), round_ended(1), round_ended(2, "critical"), round_started(3, "low"))
    boards = fleet(view).split("<tr")[-1]
    assert ">low</span>" in boards
    assert 'aria-label="high from round 1, critical from round 2"' in boards
    assert "single board computer" in boards
    assert "1 low, 9 critical" in boards
    assert ">25 %</span>" in boards
    assert spoken(view.points, "phones") == "high from round 1"


def test_a_decision_shows_level_before_state_and_reason():
    held = {"phones": "fresh", "boards": "held"}
    view = view_of(begun(), round_ended(1), round_ended(2, "critical", decision_states=held))
    changed = next(part for part in decisions(view).split("<tr") if "from high" in part)
    assert 'class="changed"' in changed
    assert 'class="signals held">held<' in changed
    assert "so critical" in changed


def test_a_buffered_round_shows_how_old_its_updates_were():
    buffer = {"updates": 8, "arrivals": 9, "staleness_mean": 1.25, "staleness_max": 4}
    view = view_of(begun(), round_ended(1), round_ended(2, mode="buffered", buffer=buffer))
    newest, before = rounds(view).split("<tr")[2:4]
    assert "buffered" in newest
    assert "1.2, at most 4" in newest
    assert "at most" not in before


@pytest.mark.parametrize("ratio", [None, float("nan")])
def test_a_vital_that_is_not_known_is_a_dash(ratio):
    assert meter(ratio) == "<span>-</span>"


def test_privacy_over_its_budget_and_unbounded_privacy_stand_out():
    def shown(epsilon: float, budget: float | None) -> str:
        spent = gauges(epsilon={"update": epsilon})
        return privacy(
            view_of(
                begun(epsilon_budget=budget),
                RoundStarted(round_number=1, participants=1, gauges=spent),
            )
        )

    assert "alarm" in shown(float("inf"), None)
    assert "alarm" in shown(3.0, 2.0)
    assert "alarm" not in shown(1.0, 2.0)
    assert "alarm" not in shown(3.0, None)


def test_restarts_and_lost_devices_stand_out_and_their_absence_does_not():
    def shown(**given) -> str:
        made = RoundStarted(round_number=1, participants=1, gauges=gauges(**given))
        return engine(view_of(begun(), made))

    assert "alarm" not in shown()
    assert "alarm" in shown(restarts={"cohort": 1})
    assert "alarm" in shown(devices_lost=1)


def test_charts_set_accuracy_against_rounds_bytes_and_joules_each_in_a_unit_that_reads_well():
    view = view_of(begun(), round_ended(1), round_ended(2), round_ended(3, energy_j=1940.0))
    by_key = {chart.key: options(chart, view) for chart in CHARTS}
    data = {key: made["series"][0]["data"] for key, made in by_key.items()}
    assert data == {
        "rounds": [[1, 51.0], [2, 52.0], [3, 53.0]],
        "bytes": [[3.5, 51.0], [7.0, 52.0], [10.5, 53.0]],
        "energy": [[0.03, 51.0], [0.06, 52.0], [2.0, 53.0]],
    }
    assert [made["xAxis"]["name"] for made in by_key.values()] == ["round", "kB", "kJ"]
    assert by_key["rounds"]["series"][1]["markLine"]["data"] == [{"yAxis": 90.0, "name": "teacher"}]
    assert json.dumps(by_key, allow_nan=False)


def test_a_chart_says_in_words_what_it_shows():
    chart = CHARTS[0]
    assert "no round has finished" in chart_in_words(chart, RunView())
    view = view_of(begun(), round_ended(1), round_ended(2))
    assert "51.0 % after round 1, 52.0 % after round 2" in chart_in_words(chart, view)


def test_before_the_first_event_every_part_says_that_there_is_nothing_yet():
    view = RunView()
    parts = [make(view) for make in (fleet, decisions, rounds, privacy, engine)] + [log(())]
    assert all(part.startswith('<p class="soft">') for part in parts)


def test_the_page_has_the_colours_of_the_report():
    def colours(package: str, name: str) -> list[tuple[str, str]]:
        text = (files(package) / "assets" / name).read_text()
        found = re.findall(r"--(page|raised|line|text|soft|good|bad|mark): (#[0-9a-f]{6})", text)
        return sorted(found)

    report = colours("edgestill.report", "page.css")
    assert len(report) == 16
    assert colours("edgestill.page", "live.css") == report
