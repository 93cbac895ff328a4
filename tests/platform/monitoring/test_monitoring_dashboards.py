"""Dashboards as committed: of Grafana's schema, parsed by promtool, made from declared names."""

import copy
import json
import re
import subprocess
from pathlib import Path

import jsonschema
import pytest
import yaml
from grafana_expressions import (
    PROMETHEUS_OWN,
    boards,
    dashboard_expressions,
    names_of,
    panels,
    rule_expressions,
)
from prometheus_server import binary

from edgestill.monitoring.panels import Bounds, falling, rising
from edgestill.monitoring.rules import RECORDINGS
from edgestill.telemetry import DECLARED, METRICS

SCHEMA = Path(__file__).parents[2] / "schemas" / "grafana_dashboard.schema.json"
NAMES = ("allocation", "cluster", "fleet", "privacy", "serving", "training")
HISTOGRAM_PARTS = ("_bucket", "_sum", "_count")


@pytest.fixture(scope="module")
def validator():
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


def base_name(name):
    """The declared name behind a series of a histogram."""
    for part in HISTOGRAM_PARTS:
        if name.endswith(part) and name.removesuffix(part) in DECLARED:
            return name.removesuffix(part)
    return name


def test_the_dashboards_are_there():
    assert tuple(boards()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_dashboard_is_of_grafanas_schema(validator, name):
    mistakes = [
        f"{list(deep.absolute_path)}: {deep.message[:200]}"
        for error in validator.iter_errors(boards()[name])
        for deep in (jsonschema.exceptions.best_match([error]),)
    ]
    assert mistakes == []


def set_in(board, path, value):
    *way, last = path
    for step in way:
        board = board[step]
    board[last] = value


PANEL = ("panels", 1)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schemaVersion",), "41"),
        (("time", "from"), 15),
        (("templating", "list", 1, "multi"), "yes"),
        (("annotations", "list", 0, "iconColor"), 7),
        ((*PANEL, "type"), "timeserie"),
        ((*PANEL, "gridPos", "w"), "4"),
        ((*PANEL, "options", "colorMode"), "colourful"),
        ((*PANEL, "options", "reduceOptions", "calcs"), "last"),
        ((*PANEL, "options", "colourMode"), "value"),
        ((*PANEL, "fieldConfig", "defaults", "thresholds", "mode"), "some"),
        ((*PANEL, "targets", 0, "expr"), None),
        ((*PANEL, "targets", 0, "instant"), "false"),
    ],
)
def test_the_schema_finds_a_wrong_field(validator, path, value):
    board = copy.deepcopy(boards()["fleet"])
    assert validator.is_valid(board)
    set_in(board, path, value)
    assert not validator.is_valid(board)


def test_promtool_parses_every_expression(tmp_path):
    # One file of many recording rules is one call.
    rules = [
        {"record": "parsed", "expr": one.promql, "labels": {"number": str(number)}}
        for number, one in enumerate(dashboard_expressions())
    ]
    path = tmp_path / "panels.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    command = [binary("promtool"), "check", "rules", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    assert f"{len(rules)} rules found" in done.stdout


def test_every_expression_names_declared_metrics_only():
    known = {*DECLARED, *PROMETHEUS_OWN, *(rule.name for rule in RECORDINGS)}
    for one in (*dashboard_expressions(), *rule_expressions()):
        assert {base_name(name) for name in names_of(one.promql)} <= known, one.where


def test_every_declared_metric_and_every_recorded_one_is_used():
    used = {
        base_name(name)
        for one in (*dashboard_expressions(), *rule_expressions())
        for name in names_of(one.promql)
    }
    assert {*DECLARED, *(rule.name for rule in RECORDINGS)} - used == set()


def test_panels_are_described_and_named_once():
    for name, board in boards().items():
        said = [panel["description"] for panel in panels(board)]
        assert all(len(text) > 20 and text.endswith(".") for text in said), name
        rows = [panel["title"] for panel in board["panels"] if panel["type"] == "row"]
        assert len(rows) == len(set(rows)) >= 3, name
        ids = [panel["id"] for panel in board["panels"]]
        assert len(ids) == len(set(ids)), name


def test_panels_neither_overlap_nor_leave_the_grid():
    for name, board in boards().items():
        taken = set()
        for panel in board["panels"]:
            place = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not cells & taken, (name, panel["title"])
            assert place["x"] + place["w"] <= 24, (name, panel["title"])
            taken |= cells


def test_rows_of_panels_are_full():
    for name, board in boards().items():
        width = {}
        for panel in panels(board):
            place = panel["gridPos"]
            width[place["y"]] = width.get(place["y"], 0) + place["w"]
        assert set(width.values()) == {24}, name


def test_each_dashboard_has_the_variables_and_links_to_the_others():
    for name, board in boards().items():
        variables = board["templating"]["list"]
        assert [one["name"] for one in variables] == ["datasource", "run", "profile", "group"]
        assert all(one["multi"] and one["includeAll"] for one in variables[1:])
        links = {link["url"] for link in board["links"]}
        assert links == {f"/d/edgestill-{other}" for other in NAMES if other != name}
        assert all(link["includeVars"] and link["keepTime"] for link in board["links"])
        assert board["uid"] == f"edgestill-{name}"


def test_everything_asks_the_chosen_data_source():
    for board in boards().values():
        asked = [*panels(board), *(t for p in panels(board) for t in p["targets"])]
        asked += [*board["annotations"]["list"], *board["templating"]["list"][1:]]
        assert {one["datasource"]["uid"] for one in asked} == {"$datasource"}


def test_rates_follow_the_resolution_of_the_graph():
    for board in boards().values():
        for panel in panels(board):
            for target in panel["targets"]:
                windows = set(re.findall(r"rate\([^[]*\[([^]]*)\]", target["expr"]))
                assert windows <= {"$__rate_interval"}, panel["title"]


def test_counters_are_never_drawn_raw_with_a_rate_unit():
    per_second = {"Bps", "flops", "suffix: /s"}
    for board in boards().values():
        for panel in panels(board):
            if panel["fieldConfig"]["defaults"]["unit"] in per_second:
                assert all("rate(" in target["expr"] for target in panel["targets"])


def test_every_expression_follows_the_variable_run():
    for board in boards().values():
        for panel in panels(board):
            for target in panel["targets"]:
                assert target["expr"].count('run=~"$run"') == target["expr"].count("{") > 0


def test_annotations_show_changes_of_level_and_firing_alerts():
    for board in boards().values():
        shown = {one["name"]: one["expr"] for one in board["annotations"]["list"]}
        assert set(shown) == {"Changes of level", "Alerts"}
        assert names_of(shown["Alerts"].replace('=~"$run"', '=~".*"')) == {"ALERTS"}


def test_bounds_colour_what_is_worse():
    assert rising(1.0, 2.0, 3.0) == Bounds(
        base="green", steps=((1.0, "yellow"), (2.0, "orange"), (3.0, "red"))
    )
    assert falling(3.0, 2.0, 1.0) == Bounds(
        base="red", steps=((1.0, "orange"), (2.0, "yellow"), (3.0, "green"))
    )


def test_units_are_those_of_the_names():
    units = {
        "_bytes": {"decbytes", "bytes", "percentunit"},
        "_ratio": {"percentunit"},
        "_celsius": {"celsius"},
        "_seconds": {"s"},
    }
    for board in boards().values():
        for panel in panels(board):
            if panel["type"] == "table":
                continue
            unit = panel["fieldConfig"]["defaults"]["unit"]
            for target in panel["targets"]:
                names = set(re.findall(r"edgestill_\w+", target["expr"])) & set(DECLARED)
                for name in names:
                    for ending, allowed in units.items():
                        if name.endswith(ending):
                            assert unit in allowed, (panel["title"], name, unit)


def test_the_help_of_no_metric_is_empty():
    assert all(metric.help for metric in METRICS)
