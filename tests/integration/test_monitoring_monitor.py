"""`edgestill monitor`: a real Prometheus that finds runs by itself, keeps its data, and ends."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest
from processes import wait_until

from edgestill.jobs import cli
from edgestill.monitoring import announced, targets_folder
from edgestill.telemetry import Exporter, MetricStore

FOUND_WITHIN_S = 30.0
"""Prometheus looks for new targets each 5 s at most."""


@dataclass
class Monitor:
    process: subprocess.Popen[str]
    welcome: str

    @property
    def url(self) -> str:
        found = re.match(r"Prometheus at (http://127\.0\.0\.1:\d+), ", self.welcome)
        assert found is not None, self.welcome
        return found[1]

    def ask(self, expression: str) -> dict[str, float]:
        """Return values by the label run."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": expression})
        result = answer.json()["data"]["result"]
        return {one["metric"].get("run", ""): float(one["value"][1]) for one in result}

    def server(self) -> psutil.Process:
        (child,) = psutil.Process(self.process.pid).children()
        return child

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err


@pytest.fixture
def monitor(tmp_path) -> Iterator:
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> Monitor:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "edgestill.jobs.cli", "monitor", "--port", "0", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
        )
        started.append(process)
        assert process.stdout is not None
        lines = []
        while not (lines and lines[-1].lstrip().startswith("--env GF_SERVER_HTTP_ADDR")):
            line = process.stdout.readline()
            assert line, process.communicate()
            lines.append(line)
        return Monitor(process, "".join(lines))

    yield start
    for process in started:
        if process.poll() is None:
            for child in psutil.Process(process.pid).children():
                child.kill()
            process.kill()
            process.communicate()


@pytest.fixture
def complaint(capsys):
    def run(*arguments: object) -> str:
        given = ["monitor", *map(str, arguments)]
        code = cli._guarded(lambda: cli.app(given, standalone_mode=False))
        out, err = capsys.readouterr()
        assert (code, out, err.count("\n")) == (2, "", 1)
        return err

    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_a_run_is_found_scraped_and_forgotten_and_its_data_stays(monitor, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    store = MetricStore()
    store.set("edgestill_round", 3)
    exporter = Exporter(store)
    first = monitor()
    address = f"127.0.0.1:{exporter.start()}"
    with announced(targets_folder(), "demo-1", address):
        wait_until(
            lambda: first.ask("edgestill_round") == {"demo-1": 3.0},
            within_s=FOUND_WITHIN_S,
            what="the run is scraped",
        )
        assert set(first.ask("up")) == {"demo-1"}
    exporter.stop()
    wait_until(
        lambda: first.ask("edgestill_round") == {},
        within_s=FOUND_WITHIN_S,
        what="the run is forgotten",
    )
    assert first.ask('ALERTS{alertname="EdgestillExporterDown"}') == {}
    code, out, err = first.stop()
    assert (code, err) == (0, "")
    assert "stays in" in out

    again = monitor()
    assert again.ask("max_over_time(edgestill_round[10m])") == {"demo-1": 3.0}
    assert again.stop()[0] == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_prometheus_ends_with_it(monitor, number):
    one = monitor()
    server = one.server()
    assert server.name() == "prometheus"
    code, _, err = one.stop(number)
    assert (code, err) == (0, "")
    assert not server.is_running()


def test_what_it_writes_is_for_grafana_too(monitor, tmp_path):
    one = monitor("--out", str(tmp_path / "kept"))
    assert f"--set allocation.prometheus_url={one.url}" in one.welcome
    provisioning = tmp_path / "kept" / "grafana" / "provisioning"
    assert str(provisioning) in one.welcome
    assert one.url in (provisioning / "datasources" / "prometheus.yaml").read_text()
    provider = (provisioning / "dashboards" / "edgestill.yaml").read_text()
    assert str(tmp_path / "kept" / "grafana") in provider
    assert len(list((tmp_path / "kept" / "grafana").glob("*.json"))) == 6
    rules = httpx.get(f"{one.url}/api/v1/rules").json()["data"]["groups"]
    assert {rule["health"] for group in rules for rule in group["rules"]} <= {"ok", "unknown"}


def test_a_prometheus_that_dies_is_told_in_one_line(monitor):
    one = monitor()
    one.server().kill()
    out, err = one.process.communicate(timeout=30)
    assert (one.process.returncode, out) == (3, "")
    assert err.startswith("edgestill: prometheus ended with code -9: ")
    assert err.count("\n") == 1


def test_a_folder_that_another_one_uses_is_told_in_one_line(monitor, tmp_path):
    monitor("--out", str(tmp_path / "kept"))
    second = subprocess.run(  # noqa: S603 - our own command
        [
            *(sys.executable, "-m", "edgestill.jobs.cli", "monitor", "--port", "0"),
            *("--out", str(tmp_path / "kept")),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
    )
    assert (second.returncode, second.stdout) == (2, "")
    assert second.stderr.count("\n") == 1
    assert "another" in second.stderr
    assert str(tmp_path / "kept") in second.stderr


def test_a_port_in_use_is_told_in_one_line(complaint, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert complaint("--port", port, "--out", tmp_path).startswith(
            f"edgestill: --port {port}: cannot be bound on 127.0.0.1 "
        )
    assert list(tmp_path.iterdir()) == []


def test_without_prometheus_one_line_says_how_to_install_it(complaint, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "apt-get install prometheus" in complaint("--out", tmp_path / "kept")


def test_a_folder_that_cannot_be_written_is_told_in_one_line(complaint, tmp_path):
    (tmp_path / "file").write_text("")
    assert "cannot be written" in complaint("--port", 0, "--out", Path(tmp_path / "file"))
