"""`edgestill run` from start to end: exporter, metrics, log, report, resume, signals."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from processes import wait_until
from prometheus_client.parser import text_string_to_metric_families

from edgestill.jobs import main_job, run_folder

GONE_WITHIN_S = 15.0
ONE_COHORT = ("--set", "engine.cohorts=1")
COMMAND = [sys.executable, "-m", "edgestill.jobs.cli", "run"]


@dataclass
class Started:
    """A run under way, the leader of its own process group as a shell would make it."""

    process: subprocess.Popen[str]
    folder: Path

    def checkpoints(self) -> int:
        return len(list(self.folder.glob("checkpoints/*.safetensors")))

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def port(self) -> int | None:
        log = self.folder / "run.log"
        found = (
            re.search(r"http://127\.0\.0\.1:(\d+)/metrics", log.read_text())
            if log.exists()
            else None
        )
        return int(found[1]) if found else None

    def finish(self) -> tuple[int, str]:
        _, errors = self.process.communicate(timeout=120)
        return self.process.returncode, errors


@pytest.fixture
def start() -> Iterator:
    started: list[Started] = []

    def run(folder: Path, *arguments: str | Path, cwd: Path | None = None) -> Started:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [*COMMAND, *map(str, arguments)],
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(Started(process, folder))
        return started[-1]

    yield run
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def scrape(port: int) -> dict[tuple[str, tuple], float]:
    """Return the counters' samples by name and labels."""
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        if family.type == "counter"
        for sample in family.samples
        if sample.name.endswith("_total")
    }


def final(folder: Path) -> dict:
    return json.loads((folder / "report.json").read_text())["final"]


REPORT_KEYS = {
    "schema",
    "command",
    "name",
    "seed",
    "config_digest",
    "data",
    "teacher",
    "student",
    "rounds",
    "selection",
    "comparisons",
    "claims",
    "privacy",
    "engine",
    "final",
}


def test_a_run_serves_its_metrics_and_leaves_a_whole_folder(start, small_yaml, reference, tmp_path):
    out = tmp_path / "run"
    comparisons = "comparisons=[fedavg, local_only, cloud_only]"
    run = start(out, small_yaml, "--out", out, "--set", comparisons)
    port = wait_until(run.port, within_s=60, what="the exporter")
    first = wait_until(
        lambda: (found := scrape(port)).get(("edgestill_rounds_total", ())) and found,
        within_s=60,
        what="a finished round",
    )
    seen = first[("edgestill_rounds_total", ())]
    second = wait_until(
        lambda: (found := scrape(port))[("edgestill_rounds_total", ())] > seen and found,
        within_s=60,
        what="another finished round",
    )
    assert all(second[key] >= value for key, value in first.items())
    grown = {
        name for (name, labels), value in second.items() if value > first.get((name, labels), 0)
    }
    assert {"edgestill_uplink_bytes_total", "edgestill_energy_joules_total"} <= grown
    code, errors = run.finish()
    assert code == 0, errors
    assert "Traceback" not in errors
    assert final(out) == reference["final"]

    report = json.loads((out / "report.json").read_text())
    assert report.keys() >= REPORT_KEYS
    assert report["schema"] == "edgestill.report/1"
    assert [row["round"] for row in report["rounds"]] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert set(report["comparisons"]) == {"fedavg", "local_only", "cloud_only"}
    assert {claim["id"] for claim in report["claims"]} >= {"gap_to_teacher", "gain_over_fedavg"}
    page = (out / "report.html").read_text()
    fetched = r"""(?:src|href)\s*=\s*["']?\s*(?:https?:)?//|@import|url\(\s*["']?(?:https?:)?//"""
    tags = re.sub(r"<script\b[^>]*>.*?</script>", lambda m: m[0].split(">")[0], page, flags=re.S)
    assert not re.search(fetched, tags)
    last = {
        sample.name: sample.value
        for family in text_string_to_metric_families((out / "metrics.prom").read_text())
        for sample in family.samples
    }
    assert last["edgestill_rounds_total"] == 8
    assert last["edgestill_devices_lost_total"] == 0
    log = (out / "run.log").read_text()
    assert re.search(r"^\S+Z INFO .*round=\d+ ", log, re.M)
    assert "stage=" in log


def interrupted(run: Started, by: Callable[[], None], *, checkpoints: int) -> str:
    """Stop a run that has so many checkpoints; return the one line that it leaves."""
    wait_until(lambda: run.checkpoints() >= checkpoints, within_s=120, what="checkpoints")
    family = run.family()
    assert any("raylet" in " ".join(one.cmdline()) for one in family)
    by()
    code, errors = run.finish()
    assert code == 130
    assert psutil.wait_procs(family, timeout=GONE_WITHIN_S)[1] == []
    assert checkpoints <= run.checkpoints() < 8
    assert not (run.folder / "report.json").exists()
    return errors


def test_what_ctrl_c_and_then_sigterm_stopped_ends_alike(
    start, run_here, small_yaml, reference, tmp_path
):
    out = tmp_path / "a run"
    first = start(out, small_yaml, "--out", out, "--quiet", *ONE_COHORT)
    line = interrupted(first, lambda: os.killpg(first.process.pid, signal.SIGINT), checkpoints=1)
    assert line == f"interrupted; go on with: edgestill run --resume '{out}'\n"

    second = start(out, "--resume", "a run", "--quiet", cwd=tmp_path)
    line = interrupted(second, second.process.terminate, checkpoints=first.checkpoints() + 1)
    assert line == f"interrupted; go on with: edgestill run --resume '{out}'\n"

    folder, checkpoint = run_folder.reopen(out, from_round=None)
    assert checkpoint is not None
    assert (
        main_job.run_job(folder, resume_from=checkpoint, quiet=True)["final"] == reference["final"]
    )


def test_sigkill_leaves_what_resume_takes_up(start, small_yaml, reference, tmp_path):
    out = tmp_path / "run"
    run = start(out, small_yaml, "--out", out, "--quiet", *ONE_COHORT)
    wait_until(lambda: run.checkpoints() >= 2, within_s=120, what="two checkpoints")
    # Ray's own agents look after their parent from time to time only.
    family = [one for one in run.family() if "Agent" not in one.name()]
    run.process.kill()
    run.process.wait()
    assert psutil.wait_procs(family, timeout=GONE_WITHIN_S)[1] == []
    kept = {path: path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}

    refused = subprocess.run(  # noqa: S603 - our own command
        [*COMMAND, small_yaml, "--out", out], capture_output=True, text=True, timeout=60
    )
    assert refused.returncode == 2
    assert "not empty" in refused.stderr
    assert "--resume" in refused.stderr
    assert {path: path.read_bytes() for path in kept} == kept

    code, errors = start(out, "--resume", out, "--quiet").finish()
    assert code == 0, errors
    assert final(out) == reference["final"]
    log = (out / "run.log").read_text()
    assert log.count("INFO metrics of small-") == 2
