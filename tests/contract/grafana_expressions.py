"""The expressions of dashboards and rules as they lie on disk: where they are and what they say."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import promql_parser
import yaml

DASHBOARDS = Path(__file__).parents[2] / "dashboards"
RULES = DASHBOARDS / "prometheus" / "rules" / "edgestill.yml"

PROMETHEUS_OWN = {"up", "ALERTS", "scrape_duration_seconds", "scrape_samples_scraped"}
"""What Prometheus itself records."""


@dataclass(frozen=True)
class Placed:
    """An expression of PromQL without variables, and where it stands."""

    where: str
    promql: str
    legend: str = ""


def boards() -> dict[str, dict[str, Any]]:
    """Return the dashboards by name."""
    paths = sorted((DASHBOARDS / "grafana").glob("*.json"))
    return {path.stem: json.loads(path.read_text()) for path in paths}


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a dashboard's panels without its rows."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def dashboard_expressions(window: str = "5m") -> list[Placed]:
    """Return all expressions of all dashboards: of panels, variables and annotations."""
    return [
        Placed(f"{name}: {where}", filled_in(text, window), legend)
        for name, board in boards().items()
        for where, text, legend in _expressions(board)
    ]


def _expressions(board: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for panel in panels(board):
        for target in panel["targets"]:
            yield (
                f"{panel['title']} {target['refId']}",
                target["expr"],
                target.get("legendFormat", ""),
            )
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            found = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"])
            assert found is not None, variable
            yield f"variable {variable['name']}", found[1], f"{{{{{found[2]}}}}}"
    for annotation in board["annotations"]["list"]:
        texts = annotation["titleFormat"] + annotation["textFormat"]
        yield f"annotation {annotation['name']}", annotation["expr"], texts


def rule_expressions() -> list[Placed]:
    """Return the expressions of all rules."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [
        Placed(f"rule {rule.get('record') or rule['alert']}", rule["expr"])
        for group in groups
        for rule in group["rules"]
    ]


def filled_in(text: str, window: str) -> str:
    """Return an expression as Grafana sends it where All is chosen for every variable."""
    for name in ("run", "group", "profile"):
        text = text.replace(f'=~"${name}"', '=~".*"')
    text = text.replace("$__rate_interval", window).replace("$__interval", "1s")
    assert "$" not in text, text
    return text


def names_of(promql: str) -> set[str]:
    """Return the names of all metrics in an expression."""
    names: set[str] = set()

    def visit(node: Any) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            names.add(node.name or "")

    promql_parser.walk(promql_parser.parse(promql), visit)
    return names
