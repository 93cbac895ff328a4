"""The source against servers that are down, slow or wrong; tests/contract has the real one."""

import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from wrong_server import Handler, answers, serve, vector

from edgestill.allocation import PrometheusSource, Snapshot, prometheus_server
from edgestill.config import AllocationConfig, SignalsConfig
from edgestill.telemetry import PromqlServer

GOOD = {
    "edgestill_group_cpu_ratio": "0.5",
    "edgestill_group_free_memory_bytes": "1e+08",
    "edgestill_group_battery_ratio": "1",
    "edgestill_group_temperature_celsius": "30",
    "time() ": "0.4",
    "edgestill_vitals_virtual_seconds": "60",
}
Respond = Callable[[Handler], None]


def prometheus_with(values: Mapping[str, str], pick: Callable[[str], str] = str) -> Respond:
    """Answer each expression by the value of the name that it begins with; none is empty."""

    def respond(handler: Handler) -> None:
        expression = pick(handler.form["query"][0])
        found = [value for name, value in values.items() if expression.startswith(name)]
        labels = {"group": "phones"}
        result = [{"metric": labels, "value": [1.0, value]} for value in found[:1]]
        handler.give(200, json.dumps(vector(*result)).encode())

    return respond


def read(
    respond: Respond, *, wait_s: float = 0.0, timeout_s: float = 5.0, time_s: float = 60.0
) -> tuple[Snapshot, list[Handler]]:
    with serve(respond) as (url, asked):
        source = PrometheusSource(
            server=PromqlServer(url, timeout_s=timeout_s),
            signals=SignalsConfig(wait_s=wait_s),
            groups=("phones",),
            run_label="run-1",
        )
        return source.read(1, time_s), asked


def test_good_samples_are_used() -> None:
    snapshot, asked = read(prometheus_with(GOOD), wait_s=60.0)
    signals = snapshot.groups["phones"]
    assert (signals.cpu_ratio, signals.free_memory_bytes) == (0.5, 1e8)
    assert (signals.battery_ratio, signals.temperature_c) == (1.0, 30.0)
    assert (signals.age_s, signals.faults, snapshot.source_error) == (0.4, {}, None)
    assert len(asked) == 6
    assert all('run="run-1"' in handler.form["query"][0] for handler in asked)


@pytest.mark.parametrize(
    ("values", "faults"),
    [
        ({"edgestill_group_cpu_ratio": "NaN"}, {"cpu_ratio": "absurd"}),
        ({"edgestill_group_temperature_celsius": "+Inf"}, {"temperature_c": "absurd"}),
        ({"edgestill_group_battery_ratio": "87"}, {"battery_ratio": "absurd"}),
        ({"time() ": "31"}, dict.fromkeys(SignalsConfig.model_fields, "stale")),
        ({"time() ": "NaN"}, dict.fromkeys(SignalsConfig.model_fields, "stale")),
    ],
)
def test_a_sample_that_cannot_be_used_is_seen_as_such(
    values: Mapping[str, str], faults: Mapping[str, str]
) -> None:
    snapshot, _ = read(prometheus_with(GOOD | values))
    found = snapshot.groups["phones"].faults
    assert snapshot.source_error is None
    assert found
    assert all(faults[name] == fault for name, fault in found.items())


def test_empty_vectors_are_missing_signals_and_no_error() -> None:
    snapshot, _ = read(answers(200, vector()))
    assert set(snapshot.groups["phones"].faults.values()) == {"missing"}
    assert len(snapshot.groups["phones"].faults) == 4
    assert snapshot.source_error is None


def test_without_an_age_nothing_is_used() -> None:
    values = {name: value for name, value in GOOD.items() if name != "time() "}
    snapshot, _ = read(prometheus_with(values))
    assert set(snapshot.groups["phones"].faults.values()) == {"stale"}
    assert snapshot.groups["phones"].age_s is None


def test_when_the_wait_is_over_it_decides_from_what_there_is() -> None:
    snapshot, asked = read(prometheus_with(GOOD), wait_s=0.2, time_s=120.0)
    assert snapshot.groups["phones"].cpu_ratio == 0.5
    polls = [one for one in asked if "vitals_virtual" in one.form["query"][0]]
    assert len(polls) > 1


def test_the_wait_ends_with_the_scrape() -> None:
    shown = iter(["0", "0", "60"])

    def respond(handler: Handler) -> None:
        now = {}
        if "vitals_virtual" in handler.form["query"][0]:
            now = {"edgestill_vitals_virtual_seconds": next(shown)}
        prometheus_with(GOOD | now)(handler)

    snapshot, asked = read(respond, wait_s=60.0)
    assert snapshot.groups["phones"].faults == {}
    assert len(asked) == 3 + 5


@pytest.mark.parametrize(
    ("respond", "reason"),
    [
        (answers(500, b"oh no"), "status"),
        (answers(200, b"<html>"), "not_json"),
        (answers(401, b"no"), "unauthorized"),
        (answers(302, b"", Location="http://127.0.0.1:9/"), "status"),
        (answers(200, b" " * (9 * 2**20)), "too_large"),
        (lambda handler: None, "unreachable"),
    ],
)
def test_a_wrong_server_is_asked_once_and_costs_no_signal_but_the_round(
    respond: Respond, reason: str
) -> None:
    snapshot, asked = read(respond, wait_s=60.0)
    assert snapshot.source_error_reason == reason
    assert snapshot.source_error is not None
    assert set(snapshot.groups["phones"].faults.values()) == {"missing"}
    assert len(asked) == 1


def test_a_silent_server_is_asked_once() -> None:
    over = threading.Event()
    try:
        snapshot, asked = read(lambda handler: over.wait(30) and None, wait_s=60.0, timeout_s=0.2)
    finally:
        over.set()
    assert snapshot.source_error_reason == "timeout"
    assert len(asked) == 1


def test_a_wrong_expression_for_the_wait_does_not_cost_the_signals() -> None:
    refused = answers(400, {"status": "error", "errorType": "bad_data", "error": "1:1: what?"})

    def respond(handler: Handler) -> None:
        waits = "vitals_virtual" in handler.form["query"][0]
        (refused if waits else prometheus_with(GOOD))(handler)

    snapshot, _ = read(respond, wait_s=60.0)
    assert snapshot.groups["phones"].faults == {}
    assert "allocation.signals.vitals_virtual_s: " in str(snapshot.source_error)


def test_a_token_that_vanishes_is_said_and_never_raised(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("abc")
    server = prometheus_server(
        AllocationConfig(
            prometheus_url="http://127.0.0.1:9", prometheus_token_file=tmp_path / "token"
        )
    )
    assert server is not None
    source = PrometheusSource(
        server=server, signals=SignalsConfig(), groups=("phones",), run_label="run-1"
    )
    (tmp_path / "token").unlink()
    snapshot = source.read(1, 0.0)
    assert snapshot.source_error_reason == "misconfigured"
    assert "allocation.prometheus_token_file" in str(snapshot.source_error)


def test_without_an_address_signals_stay_in_the_process() -> None:
    assert prometheus_server(AllocationConfig()) is None
