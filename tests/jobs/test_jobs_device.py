"""A real machine as Prometheus sees it: one process, no run."""

import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families


@pytest.fixture
def start(tmp_path: Path):
    processes = []

    def run(*options: str):
        command = [sys.executable, "-m", "edgestill.jobs.cli", "device", *options]
        process = subprocess.Popen(  # noqa: S603 - our own command line
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        processes.append(process)
        return process

    yield run
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_a_machine_is_exported_under_the_names_of_devices_and_announced(start, tmp_path):
    process = start("--group", "phones", "--number", "3", "--targets", str(tmp_path))
    url = process.stdout.readline().strip()
    host, _, port = url.removeprefix("http://").removesuffix("/metrics").partition(":")
    with urllib.request.urlopen(f"http://{host}:{port}/metrics", timeout=10) as reply:
        text = reply.read().decode()
    found = {
        (s.name, *s.labels.values()): s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
    }
    vitals = ("cpu_ratio", "free_memory_bytes", "battery_ratio", "temperature_celsius")
    assert found.keys() == {
        *((f"edgestill_device_{name}", "3") for name in vitals),
        *((f"edgestill_group_{name}", "phones") for name in vitals),
    }
    free = found["edgestill_device_free_memory_bytes", "3"]
    assert 0 < free < psutil.virtual_memory().total
    (target,) = tmp_path.glob("*.json")
    (entry,) = json.loads(target.read_text())
    assert url == f"http://{entry['targets'][0]}/metrics"
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0
    assert not list(tmp_path.glob("*.json"))


def test_a_group_that_is_no_name_is_one_line(start):
    process = start("--group", "../phones")
    _, said = process.communicate(timeout=30)
    assert process.returncode == 2
    assert said.startswith("edgestill: --group ../phones: expected 1 to 64 letters")
    assert said.count("\n") == 1
