"""Every expression of dashboards and rules, asked of a real Prometheus that scraped real runs."""

import json
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import httpx
import pytest
import yaml
from grafana_expressions import RULES, Placed, dashboard_expressions, rule_expressions
from prometheus_server import free_port, prometheus

from edgestill.inference.service import AboveSettings, ServiceServer, ServiceSettings
from edgestill.monitoring import announce, targets_folder
from edgestill.monitoring.rules import ALERTS

sys.path.append(str(Path(__file__).parents[1] / "platform" / "inference"))

from sums_model import Sums, frame

STEADY = (
    "name=steady",
    "federation.rounds=300",
    "allocation.policy=threshold",
    # Each round tells a little more, and soon more than the budget.
    "privacy.update_noise_multiplier=0.5",
    "knowledge.summary.noise_multiplier=1.0",
    "privacy.epsilon_budget=20.0",
    "federation.interval_s=600",
    "federation.deadline_s=60",
    "engine.cohorts=1",
    "engine.cohorts_min=1",
    "engine.cohorts_max=2",
    "engine.cool_down_s=0",
)
WITHOUT_SIGNALS = (
    "name=blind",
    "federation.rounds=100",
    "engine.cohorts=1",
    "allocation.safe_level=low",
    "allocation.signals.wait_s=0",
    "allocation.prometheus_timeout_s=0.5",
)
BUFFERED = (
    "name=buffered",
    "federation.mode=buffered",
    "federation.concurrency=6",
    "federation.buffer_size=3",
    "federation.rounds=150",
    "engine.cohorts=1",
)

EMPTY = {
    # No device fails in these runs, and no actor dies.
    "fleet: Late, failed and lost B",
}
RUNS = {"blind", "buffered", "steady"}
QUIET_ALERTS = {
    "EdgestillRoundStalled",
    "EdgestillDevicesLost",
    "EdgestillExporterDown",
    "EdgestillLevelFlapping",
}
"""What does not fire in these runs."""


@dataclass(frozen=True)
class Collected:
    """A Prometheus that has seen three runs, and when."""

    url: str
    began_s: float
    ended_s: float

    def ask(self, path: str, **query: Any) -> Any:
        with urlopen(f"{self.url}/api/v1/{path}?{urlencode(query)}") as answer:  # noqa: S310
            return json.load(answer)["data"]

    def series(self, expression: str) -> list[dict[str, Any]]:
        """Return the series of an expression that had a value at some second of the runs."""
        window = {"start": self.began_s, "end": self.ended_s, "step": 1}
        found = self.ask("query_range", query=expression, **window)["result"]
        return [
            one for one in found if any(not math.isnan(float(value)) for _, value in one["values"])
        ]


def serve_a_while(targets: Path) -> None:
    """Let Prometheus see a fog whose cloud is gone, one that answers and refuses."""
    above = AboveSettings(url="http://127.0.0.1:9", doubt=0.2)
    fog = Sums(by="fog", confidence=0.5)
    server = ServiceServer(fog, ServiceSettings(above=above), host="127.0.0.1", port=0)
    path = announce(targets, "fog-00000000", [f"127.0.0.1:{server.own_port}"])
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as client:
        until = time.monotonic() + 15
        while time.monotonic() < until:
            assert client.post("/v1/answers", content=frame(1)).status_code == 200
            assert client.post("/v1/answers", content=b"no frame").status_code == 400
            time.sleep(0.1)
    path.unlink()
    server.stop()


@pytest.fixture(scope="module")
def collected(run_here, tmp_path_factory) -> Iterator[Collected]:
    folder = tmp_path_factory.mktemp("prometheus")
    targets = targets_folder()
    targets.mkdir(parents=True, exist_ok=True)
    with prometheus(folder, targets, rule_files=[RULES]) as server:
        began_s = time.time()
        serve_a_while(targets)
        run_here(*STEADY)
        run_here(*BUFFERED)
        run_here(*WITHOUT_SIGNALS, f"allocation.prometheus_url=http://127.0.0.1:{free_port()}")
        assert list(targets.glob("*.json")) == []
        time.sleep(3)
        yield Collected(server.url, began_s, time.time())


def test_every_expression_of_every_dashboard_returns_data(collected):
    empty = {one.where for one in dashboard_expressions("30s") if not collected.series(one.promql)}
    assert empty == EMPTY


def test_every_legend_names_labels_that_its_series_have(collected):
    for one in dashboard_expressions("30s"):
        for series in collected.series(one.promql):
            for label in legend_labels(one):
                assert series["metric"].get(label), (one.where, label, series["metric"])


def legend_labels(one: Placed) -> set[str]:
    parts = one.legend.split("{{")[1:]
    # An alert has those labels that its rule has.
    return set() if "annotation Alerts" in one.where else {part.split("}}")[0] for part in parts}


def test_every_rule_is_evaluated_and_gives_data(collected):
    (group,) = collected.ask("rules")["groups"]
    assert [rule for rule in group["rules"] if rule["health"] != "ok"] == []
    empty = {
        one.where.removeprefix("rule ")
        for one in rule_expressions()
        if not collected.series(one.promql)
    }
    # Prometheus may look for an exporter once more after it is gone, but not as long as it takes.
    assert empty | {"EdgestillExporterDown"} == QUIET_ALERTS


def test_alerts_of_real_runs_name_the_run(collected):
    fired = collected.series('ALERTS{alertstate="firing"}')
    names = {one["metric"]["alertname"] for one in fired}
    assert names == {alert.name for alert in ALERTS} - QUIET_ALERTS
    assert all(one["metric"]["run"].partition("-")[0] in RUNS for one in fired)


def test_a_run_is_told_apart_by_its_label_alone(collected):
    found = collected.series("edgestill_round")
    runs = [one["metric"]["run"] for one in found]
    assert sorted(run.rpartition("-")[0] for run in runs) == sorted(RUNS)
    assert all(len(run.rpartition("-")[2]) == 8 for run in runs)
    for one in found:
        assert set(one["metric"]) == {"__name__", "instance", "job", "run"}


def test_the_rules_file_that_was_loaded_is_the_committed_one(collected):
    loaded = {rule["name"] for group in collected.ask("rules")["groups"] for rule in group["rules"]}
    groups = yaml.safe_load(Path(RULES).read_text())["groups"]
    assert loaded == {
        rule.get("record") or rule["alert"] for group in groups for rule in group["rules"]
    }
