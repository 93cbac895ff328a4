"""Serving as users do it: `edgestill serve` and `edgestill infer` as processes of their own."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import pytest
from processes import wait_until
from prometheus_server import prometheus
from ray_head import free_ports
from serving_processes import TOKEN, joint_folder, replicas, serving

from edgestill.inference.joint import save_joint
from edgestill.monitoring import targets_folder

sys.path.append(str(Path(__file__).parents[1] / "platform" / "inference"))

from certificates import write_certificates
from joint_models import model, pictures

HERE = Path(__file__).parent
INPUTS = 12


@pytest.fixture
def folder(tmp_path):
    return joint_folder(tmp_path)


@pytest.fixture
def given(tmp_path):
    np.save(tmp_path / "given.npy", pictures(INPUTS))
    return tmp_path / "given.npy"


def infer(folder, given, url, ca, *options):
    """Run `edgestill infer` and return its rows."""
    command = [sys.executable, "-m", "edgestill.jobs.cli", "infer", str(folder), "--json"]
    done = subprocess.run(  # noqa: S603 - our own command
        [*command, "--input", str(given), "--cloud", url, "--ca", str(ca), *options],
        env={**os.environ, "EDGESTILL_SERVING_TOKEN": TOKEN},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) == INPUTS
    return rows


def by(rows):
    return {row["answer"]["by"] for row in rows}


def targets():
    """The addresses that Prometheus is told of."""
    (path,) = targets_folder().glob("serve-*.json")
    return json.loads(path.read_text())[0]["targets"]


def test_a_service_is_killed_reloaded_stopped_and_started_again(folder, given, tmp_path):
    ca, certificate, key = write_certificates(tmp_path)
    (port,) = free_ports(1)
    options = [
        *("--port", str(port), "--replicas", "2"),
        *("--certificate", str(certificate), "--key", str(key)),
    ]
    patient = ("--deadline-ms", "20000")
    log = tmp_path / "serve.log"
    with (
        serving(folder, log, *options) as (process, url),
        prometheus(tmp_path / "prometheus", targets_folder()) as server,
    ):
        assert url == f"https://127.0.0.1:{port}"
        assert "cloud" in by(infer(folder, given, url, ca, *patient))
        before = targets()
        assert len(before) == 2

        # A real Prometheus finds the replicas by itself, and sees how much was handed on.
        wait_until(
            lambda: ask(server.url, "sum(edgestill_serving_inputs_total)") == INPUTS,
            within_s=30,
            what="the inputs in Prometheus",
        )
        asked = 'sum(edgestill_serving_requests_total{status="200",run="serve-joint-cloud"})'
        assert 0 < ask(server.url, asked) <= INPUTS

        # A replica that is killed is replaced, and its target too.
        replicas(process)[0].kill()
        wait_until(lambda: len({*targets()} - {*before}) == 1, within_s=90, what="a replacement")
        assert "cloud" in by(infer(folder, given, url, ca, *patient))

        # Another model in the folder is served by itself: its devices are answered.
        save_joint(folder, model(seed=9), {})
        wait_until(lambda: "is served from now on" in log.read_text(), within_s=30, what="a reload")
        assert "cloud" in by(infer(folder, given, url, ca, *patient))

        # One that is damaged is not, and the old one is served on.
        (folder / "cloud.safetensors").write_bytes(b"torn")
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: "is served on" in log.read_text(), within_s=30, what="a refusal")
        assert "cloud" in by(infer(folder, given, url, ca, *patient))

    assert log.read_text().endswith("stopped; all requests that were taken are answered\n")
    assert TOKEN not in log.read_text()
    assert list(targets_folder().glob("serve-*.json")) == []
    assert by(infer(folder, given, url, ca)) == {"edge"}

    save_joint(folder, model(seed=9), {})
    with serving(folder, log, *options) as (_, again):
        assert again == url
        assert "cloud" in by(infer(folder, given, url, ca, *patient))


def ask(url, expression):
    """Return the value of an expression in Prometheus; 0 without any."""
    answer = httpx.get(f"{url}/api/v1/query", params={"query": expression}, trust_env=False)
    found = answer.json()["data"]["result"]
    return float(found[0]["value"][1]) if found else 0.0


def test_replicas_on_two_nodes_listen_and_one_nodes_end_is_made_good():
    command = [sys.executable, str(HERE / "serving_nodes.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr[-3000:]
    seen = json.loads(done.stdout.splitlines()[-1])
    assert (seen["nodes"], seen["ready"]) == (2, [True, True])
    assert seen["before"] == seen["after"] == list(range(20))
    assert seen["nodes_after"] == 1
