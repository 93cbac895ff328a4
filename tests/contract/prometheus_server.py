"""A real ``prometheus`` process for tests: started, killed and started again on the same data."""

import json
import math
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

READY_WITHIN_S = 20.0


class PrometheusServer:
    """A server on a loopback port of its own.

    Attributes:
        url: its root, without a slash at the end.
        process: the running process; None while it is down.
    """

    def __init__(self, folder: Path, configuration: Mapping[str, Any]) -> None:
        self._folder = folder
        self._folder.mkdir(parents=True, exist_ok=True)
        (folder / "prometheus.yml").write_text(yaml.safe_dump(dict(configuration)))
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.process: subprocess.Popen[bytes] | None = None
        self._started_s = math.inf

    def start(self) -> None:
        """Start it and wait until it answers; on the data that is there."""
        self._started_s = time.time()
        log = (self._folder / "prometheus.log").open("ab")
        with log:
            self.process = subprocess.Popen(  # noqa: S603 - the binary that is tested with
                [
                    binary("prometheus"),
                    f"--config.file={self._folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={self._folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self._port}",
                ],
                stdout=log,
                stderr=log,
            )
        wait_for(self._answers, READY_WITHIN_S, f"prometheus is not ready, see {log.name}")

    def wait_until_scraped(self, targets: int = 1) -> None:
        """Wait until so many targets are up since the start; the first takes 5 to 10 s to find."""
        fresh = urllib.parse.quote(f"sum(up * (timestamp(up) > bool {self._started_s:.3f}))")
        question = f"{self.url}/api/v1/query?query={fresh}"

        def scraped() -> bool:
            with urllib.request.urlopen(question, timeout=2) as answer:  # noqa: S310
                found = json.load(answer)["data"]["result"]
            return bool(found) and float(found[0]["value"][1]) >= targets

        wait_for(scraped, READY_WITHIN_S, f"fewer than {targets} targets were scraped")

    def wait_until_firing(self, alert: str) -> None:
        """Wait until an alert of the rule files fires."""

        def fires() -> bool:
            with urllib.request.urlopen(f"{self.url}/api/v1/alerts", timeout=2) as answer:  # noqa: S310
                found = json.load(answer)["data"]["alerts"]
            states = {one["labels"]["alertname"]: one["state"] for one in found}
            return states.get(alert) == "firing"

        wait_for(fires, READY_WITHIN_S, f"{alert} does not fire")

    def kill(self) -> None:
        """End it by SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it by SIGTERM, if it runs."""
        self._end(signal.SIGTERM)

    def forget(self) -> None:
        """Delete its data, while it is down."""
        shutil.rmtree(self._folder / "data")

    def _end(self, number: int) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(timeout=20)
            self.process = None

    def _answers(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            pytest.fail(f"prometheus ended with code {self.process.returncode}", pytrace=False)
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2):  # noqa: S310
                return True
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False


@contextmanager
def prometheus(
    folder: Path,
    targets: Sequence[str] | Path,
    *,
    scrape_interval: str = "1s",
    labels: Mapping[str, str] | None = None,
    rule_files: Sequence[Path] = (),
) -> Iterator[PrometheusServer]:
    """Run a server that scrapes ``targets``; it answers when this returns, but has no data yet.

    Args:
        folder: for its configuration, data and log; made if it is not there.
        targets: ``host:port`` of each exporter, or a folder of target files (``*.json``), which
            is looked through every second.
        scrape_interval: in Prometheus' form; rules are evaluated as often.
        labels: attached to the targets given by address.
        rule_files: recording and alerting rules.
    """
    if isinstance(targets, Path):
        found: dict[str, Any] = {
            "file_sd_configs": [{"files": [f"{targets}/*.json"], "refresh_interval": "1s"}]
        }
    else:
        found = {"static_configs": [{"targets": list(targets), "labels": dict(labels or {})}]}
    server = PrometheusServer(
        folder,
        {
            "global": {"scrape_interval": scrape_interval, "evaluation_interval": scrape_interval},
            "rule_files": [str(path) for path in rule_files],
            "scrape_configs": [{"job_name": "edgestill", **found}],
        },
    )
    server.start()
    try:
        yield server
    finally:
        server.stop()


def binary(name: str) -> str:
    """Return the path of ``prometheus`` or ``promtool``; a test fails where it is not installed."""
    path = shutil.which(name)
    if path is None:
        pytest.fail(f"{name} is not installed: apt-get install prometheus", pytrace=False)
    return path


def free_port() -> int:
    """Return a TCP port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Any, within_s: float, complaint: str) -> None:
    """Wait until a condition holds; fail with the complaint if it does not in time."""
    until = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > until:
            pytest.fail(complaint, pytrace=False)
        time.sleep(0.02)
