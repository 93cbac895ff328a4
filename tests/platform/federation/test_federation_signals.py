"""The control loop over a real Prometheus that scrapes a real run every second."""

import logging
from pathlib import Path

import pytest
from prometheus_server import prometheus

from edgestill.allocation import PrometheusSource
from edgestill.telemetry import Exporter, MetricStore, PromqlServer

RUN = "tiny-0123abcd"
GROUPS = ("busy", "calm")
RULES = Path(__file__).parents[3] / "dashboards" / "prometheus" / "rules" / "edgestill.yml"
INTERVAL_S = 60.0
LOAD = [(0.0, 0.2), (150.0, 0.95), (270.0, 0.2)]
"""Rounds start at 0, 60, 120 ...: rounds 4 and 5 see the load."""


@pytest.fixture(scope="module")
def config(plain_config):
    def build(rounds, **allocation):
        busy = {"name": "busy", "profile": "phone", "load": {"kind": "steps", "steps": LOAD}}
        return plain_config(
            fleet={"devices": 4, "groups": [busy, {"name": "calm", "profile": "phone"}]},
            federation={"rounds": rounds, "interval_s": INTERVAL_S},
            allocation=allocation,
        )

    return build


class Audience:
    """Keeps the rows, and does something between the export of a round and its decision."""

    def __init__(self, **acts):
        self.acts = {int(name.removeprefix("round_")): act for name, act in acts.items()}
        self.rounds = 0

    def vitals_exported(self):
        self.rounds += 1
        self.acts.get(self.rounds, lambda: None)()

    def round_started(self, round_number, participants):
        pass

    def round_ended(self, row):
        pass


@pytest.fixture
def scraped(tmp_path):
    """A store, the server that scrapes it every second, and a source that asks the server."""
    store = MetricStore(max_device_series=8)
    exporter = Exporter(store)
    target = f"127.0.0.1:{exporter.start()}"
    with prometheus(
        tmp_path / "prometheus", [target], labels={"run": RUN}, rule_files=[RULES]
    ) as server:
        server.wait_until_scraped()
        yield store, server, exporter
    exporter.stop()


def source_of(server, config):
    signals = config.allocation.signals
    return PrometheusSource(
        server=PromqlServer(server.url), signals=signals, groups=GROUPS, run_label=RUN
    )


def of_busy(rows, key):
    return [row[key]["busy"] for row in rows]


def test_a_group_under_load_is_lowered_in_the_first_round_after_the_scrape(
    federate, config, scraped
):
    store, server, _ = scraped
    run_config = config(10, signals={"wait_s": 10.0})
    over_http = federate(run_config, store=store, signals=source_of(server, run_config))
    assert of_busy(over_http.rows, "levels") == [
        *["high"] * 3,
        *["critical"] * 2,
        *["low", "medium", "high", "high", "high"],
    ]
    assert over_http.rows[3]["reasons"]["busy"] == "cpu 0.95 above 0.90"
    assert {row["levels"]["calm"] for row in over_http.rows} == {"high"}
    assert {state for row in over_http.rows for state in row["decision_states"].values()} == {
        "fresh"
    }
    assert store.value("edgestill_signal_age_seconds", group="busy") < 3.0
    in_process = federate(run_config)
    for key in ("levels", "reasons", "changed", "decision_states", "signal_faults", "accuracy"):
        assert [row[key] for row in over_http.rows] == [row[key] for row in in_process.rows]


def test_prometheus_killed_in_mid_run_costs_no_round_the_level_is_held_then_safe_and_alerts_fire(
    federate, config, scraped, caplog
):
    store, server, _ = scraped

    def start_again():
        server.start()
        server.wait_until_scraped()

    run_config = config(11, signals={"wait_s": 10.0, "hold_rounds": 2}, safe_level="low")
    with caplog.at_level(logging.INFO, logger="edgestill"):
        done = federate(
            run_config,
            store=store,
            signals=source_of(server, run_config),
            observer=Audience(round_2=server.kill, round_8=start_again),
        )
    assert [row["round"] for row in done.rows] == list(range(1, 12))
    assert of_busy(done.rows, "decision_states") == [
        "fresh",
        *["held"] * 2,
        *["safe"] * 4,
        *["fresh"] * 4,
    ]
    # The load of rounds 4 and 5 is over when the server is back.
    assert of_busy(done.rows, "levels") == [
        *["high"] * 3,
        *["low"] * 4,
        *["medium", "high", "high", "high"],
    ]
    assert done.rows[1]["signal_faults"]["busy"]["cpu_ratio"] == "missing"
    assert done.rows[1]["reasons"]["busy"].endswith("missing: level held, round 1 of 2")
    assert done.rows[3]["reasons"]["busy"].endswith("missing: at most the safe level low")
    assert store.value("edgestill_signal_source_errors_total", reason="unreachable") == 6
    faults = store.value("edgestill_signal_faults_total", signal="cpu_ratio", fault="missing")
    assert faults == 6 * len(GROUPS)
    assert store.value("edgestill_group_decision", group="busy", state="fresh") == 1
    assert store.value("edgestill_group_decision", group="busy", state="safe") == 0
    for alert in ("EdgestillSignalSourceFails", "EdgestillSignalsStale"):
        server.wait_until_firing(alert)
    said = [r.getMessage() for r in caplog.records if r.name.endswith("conditions")]
    assert sum("cannot be reached" in line for line in said) == 1
    assert said.count("the signal source answers again") == 1
    assert sum(line.startswith("busy is held: ") for line in said) == 1
    assert sum(line.startswith("busy is safe: ") for line in said) == 1
    assert said.count("busy is decided from fresh signals again") == 1


def test_prometheus_that_lost_its_data_is_used_again_at_the_next_scrape(federate, config, scraped):
    store, server, _ = scraped

    def lose():
        server.kill()
        server.forget()
        server.start()

    run_config = config(3, signals={"wait_s": 15.0})
    done = federate(
        run_config,
        store=store,
        signals=source_of(server, run_config),
        observer=Audience(round_2=lose),
    )
    assert of_busy(done.rows, "decision_states") == ["fresh"] * 3


def test_a_run_that_cannot_be_scraped_any_more_is_held_while_the_server_answers(
    federate, config, scraped
):
    store, server, exporter = scraped
    run_config = config(3, signals={"wait_s": 3.0})
    done = federate(
        run_config,
        store=store,
        signals=source_of(server, run_config),
        observer=Audience(round_2=exporter.stop),
    )
    assert of_busy(done.rows, "decision_states") == ["fresh", "held", "held"]
    assert done.rows[1]["signal_faults"]["busy"]["cpu_ratio"] == "missing"
