"""Jobs on a real head whose machine has the dependencies and not this package."""

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from processes import wait_until
from ray.job_submission import JobStatus, JobSubmissionClient
from ray_head import CPUS, RealHead, clean_environment, running_head

from edgestill.config import RunConfig, digest, dump, load
from edgestill.jobs.submission import ARTEFACTS
from edgestill.report import read_report

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "edgestill.jobs.cli")
ENDS_WITHIN_S = 180.0
LONG_ROUNDS = 60


@pytest.fixture(scope="module")
def head(tmp_path_factory) -> Iterator[RealHead]:
    with running_head(tmp_path_factory.mktemp("head")) as head:
        yield head


@pytest.fixture(scope="module")
def client(head) -> JobSubmissionClient:
    return JobSubmissionClient(head.url)


@pytest.fixture(scope="module")
def config(tiny_config) -> RunConfig:
    """Takes all CPUs of the head."""
    return tiny_config(engine={"cohorts": CPUS}, federation={"rounds": 3})


@pytest.fixture
def config_yaml(config, tmp_path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(dump(config))
    return path


@pytest.fixture(scope="module")
def long_yaml(config, tmp_path_factory) -> Path:
    """Rounds enough to be stopped among."""
    path = tmp_path_factory.mktemp("long") / "long.yaml"
    path.write_text(dump(with_rounds(config, LONG_ROUNDS)))
    return path


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    errors: str


def finished(command: str, *arguments: str | Path, head: RealHead, cwd: Path) -> Done:
    """Run a command with the head's address to its end."""
    done = subprocess.run(  # noqa: S603 - our own command
        [*COMMAND, command, *map(str, arguments), "--address", head.url],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=ENDS_WITHIN_S,
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def edgestill(head, tmp_path) -> Callable[..., Done]:
    """Run a command with the head's address to its end, in a folder of its own."""
    return partial(finished, head=head, cwd=tmp_path)


@pytest.fixture(scope="module")
def submit(head, tmp_path_factory) -> Callable[..., str]:
    """Submit without following, and give the submission id."""
    home = tmp_path_factory.mktemp("submit")

    def run(*arguments: str | Path) -> str:
        done = finished("submit", *arguments, head=head, cwd=home)
        assert done.code == 0, done.errors
        return done.out.strip()

    return run


@pytest.fixture(scope="module")
def ended(client) -> Callable[[str], JobStatus]:
    def wait(submission_id: str) -> JobStatus:
        def terminal():
            return client.get_job_status(submission_id).is_terminal()

        wait_until(terminal, within_s=ENDS_WITHIN_S, what=f"the end of {submission_id}")
        return client.get_job_status(submission_id)

    return wait


@pytest.fixture(scope="module")
def followed(head, config, tmp_path_factory) -> tuple[Done, Path]:
    """A job that was followed to its end, and the folder that its artefacts were fetched into."""
    home = tmp_path_factory.mktemp("followed")
    (home / "tiny.yaml").write_text(dump(config))
    done = finished("submit", "tiny.yaml", "--follow", "--out", "out", head=head, cwd=home)
    return done, home / "out"


def with_rounds(config: RunConfig, rounds: int) -> RunConfig:
    federation = config.federation.model_copy(update={"rounds": rounds})
    return config.model_copy(update={"federation": federation})


def identifier(done: Done) -> str:
    return done.out.splitlines()[0]


def test_the_heads_machine_has_the_dependencies_and_not_this_package(head):
    def can_import(module):
        return subprocess.run(  # noqa: S603 - our own environment
            [head.python, "-c", f"import {module}"],
            env=clean_environment(head.python, head.home),
            cwd=head.home,
            capture_output=True,
            text=True,
            timeout=60,
        )

    assert can_import("ray, flwr, torch").returncode == 0
    missing = can_import("edgestill.jobs")
    assert missing.returncode == 1
    assert "ModuleNotFoundError: No module named 'edgestill'" in missing.stderr


def test_a_followed_job_succeeds_shows_its_rounds_and_leaves_its_artefacts(followed, client):
    done, out = followed
    assert done.code == 0, done.errors + done.out
    assert done.errors == ""
    assert client.get_job_status(identifier(done)) == JobStatus.SUCCEEDED
    for number in (1, 2, 3):
        assert re.search(rf"round={number} stage=round \d of 6 devices, accuracy", done.out)
    assert {path.name for path in out.iterdir()} == set(ARTEFACTS)
    assert [row["round"] for row in read_report(out)["rounds"]] == [1, 2, 3]
    assert "</html>" in (out / "report.html").read_text()
    assert "edgestill_rounds_total 3.0" in (out / "metrics.prom").read_text()


def test_its_metadata_say_what_it_is(followed, client, config, tmp_path):
    done, out = followed
    metadata = client.get_job_info(identifier(done)).metadata
    (tmp_path / "sent.yaml").write_text(metadata["configuration"])
    sent = yaml.safe_load(metadata["configuration"])
    assert sent["data"].pop("path") == "files/00/blobs"
    expected = config.model_dump(mode="json", exclude={"data": {"path"}})
    assert sent == expected
    assert metadata["name"] == "tiny"
    assert metadata["config_digest"] == read_report(out)["config_digest"]


def test_the_run_stays_on_the_head(followed, client, head):
    metadata = client.get_job_info(identifier(followed[0])).metadata
    folder = Path(metadata["folder"].replace("~", str(head.home), 1))
    assert len(list((folder / "checkpoints").glob("*.safetensors"))) > 0
    assert digest(load(folder / "config.yaml"))


def test_artefacts_are_fetched_again_and_never_over_others(followed, edgestill, tmp_path):
    done, out = followed
    again = edgestill("fetch", identifier(done))
    assert again.code == 0, again.errors
    fetched = tmp_path / "runs" / identifier(done)
    assert {p.name: p.read_bytes() for p in fetched.iterdir()} == {
        p.name: p.read_bytes() for p in out.iterdir()
    }
    refused = edgestill("fetch", identifier(done))
    assert refused.code == 2
    assert "is not an empty folder" in refused.errors


def test_an_unknown_job_is_one_line(edgestill):
    for arguments in (["fetch", "nobody"], ["submit", "--resume", "nobody"]):
        done = edgestill(*arguments)
        assert done.code == 2
        assert "nobody" in done.errors
        assert "knows no such job" in done.errors
        assert done.errors.count("\n") == 1


def test_a_job_that_fails_says_so_and_gives_its_log(edgestill, config_yaml, tmp_path):
    given = ["--set", "training.learning_rate=1e30", "--follow", "--out", "failed"]
    done = edgestill("submit", config_yaml, *given)
    assert done.code == 3, done.out
    assert "edgestill: round 1: " in done.out
    assert re.fullmatch(r"edgestill: tiny-\w+ ended FAILED; its log says why\n", done.errors)
    assert (tmp_path / "failed" / "run.log").is_file()
    assert not (tmp_path / "failed" / "report.json").exists()


def test_plain_ray_job_submit_runs_a_checkout(head, client, edgestill, tmp_path):
    smallest = ["fleet.devices=6", "federation.rounds=1", "teacher.epochs=1", "comparisons=[]"]
    overrides = [word for key in smallest for word in ("--set", key)]
    ray = [sys.executable, "-m", "ray.scripts.scripts", "job", "submit", "--address", head.url]
    environment = ["--working-dir", ".", "--runtime-env", "jobs/runtime_env.yaml"]
    main = ["python", "-m", "edgestill.jobs.cli", "run", "jobs/configs/demo.yaml", *overrides]
    done = subprocess.run(  # noqa: S603 - Ray's own command
        [*ray, *environment, "--submission-id", "plain", "--", *main],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=ENDS_WITHIN_S,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert client.get_job_status("plain") == JobStatus.SUCCEEDED
    fetched = edgestill("fetch", "plain", "--out", tmp_path / "out")
    assert fetched.code == 0, fetched.errors
    assert len(read_report(tmp_path / "out")["rounds"]) == 1
    assert (head.home / "edgestill" / "runs" / "plain" / "report.json").is_file()


@dataclass(frozen=True)
class Stopped:
    """A job that was stopped, and its newest checkpoint."""

    job: str
    kept_round: int


@pytest.fixture(scope="module")
def stopped(head, client, long_yaml, submit, ended, tmp_path_factory) -> Stopped:
    storage = tmp_path_factory.mktemp("kept")
    job = submit(long_yaml, "--storage", storage)
    checkpoints = storage / job / "checkpoints"
    wait_until(
        lambda: len(list(checkpoints.glob("*.safetensors"))) >= 2,
        within_s=ENDS_WITHIN_S,
        what="the second checkpoint",
    )
    assert client.stop_job(job)
    assert ended(job) == JobStatus.STOPPED
    kept = max(int(path.stem[-6:]) for path in checkpoints.glob("*.safetensors"))
    return Stopped(job, kept)


def test_a_stopped_job_keeps_its_last_round_and_its_log(stopped, client, edgestill, tmp_path):
    assert 2 <= stopped.kept_round < LONG_ROUNDS
    assert "interrupted; go on with:" in client.get_job_logs(stopped.job)
    fetched = edgestill("fetch", stopped.job, "--out", tmp_path / "out")
    assert fetched.code == 0, fetched.errors
    assert (tmp_path / "out" / "run.log").is_file()
    assert not (tmp_path / "out" / "report.json").exists()


@pytest.fixture(scope="module")
def three(stopped, client, long_yaml, submit, ended) -> dict[str, str]:
    """Three jobs submitted at once, each of which takes all CPUs; all have ended."""
    jobs = {
        "resumed": submit("--resume", stopped.job),
        "whole": submit(long_yaml),
        "other": submit(long_yaml, "--set", "seed=8", "--set", "federation.rounds=1"),
    }
    assert {name: ended(job) for name, job in jobs.items()} == dict.fromkeys(
        jobs, JobStatus.SUCCEEDED
    )
    return jobs


def test_a_resumed_job_ends_as_if_it_had_never_been_stopped(
    three, stopped, client, edgestill, tmp_path
):
    log = client.get_job_logs(three["resumed"])
    assert f"round={stopped.kept_round + 1} stage=round" in log
    assert f"round={stopped.kept_round} stage=round" not in log
    assert client.get_job_info(three["resumed"]).metadata["resumed_from"] == stopped.job
    for name in ("resumed", "whole"):
        assert edgestill("fetch", three[name], "--out", tmp_path / name).code == 0
    resumed, whole = (read_report(tmp_path / name) for name in ("resumed", "whole"))
    assert resumed["final"] == whole["final"]
    assert resumed["config_digest"] == whole["config_digest"]
    assert [row["round"] for row in resumed["rounds"]] == list(range(1, LONG_ROUNDS + 1))


def test_jobs_queue_for_the_cpus_and_never_share_them(three, client):
    logs = [client.get_job_logs(job) for job in three.values()]
    spans = sorted(working_span(log) for log in logs)
    for (_, end), (begin, _) in pairwise(spans):
        assert end <= begin
    assert sum(f"queued: waiting for {CPUS} of the cluster's {CPUS} CPUs" in log for log in logs)


def working_span(log: str) -> tuple[datetime, datetime]:
    """Return when a job began to work and when its last round ended: it held its CPUs between."""
    begin = next(line for line in log.splitlines() if re.search(r"metrics .*at http", line))
    *_, end = (line for line in log.splitlines() if "stage=round" in line)
    return moment(begin), moment(end)


def moment(line: str) -> datetime:
    return datetime.fromisoformat(line.split(" ")[0])


def test_ctrl_c_while_following_leaves_the_job_running(head, client, ended, config_yaml, tmp_path):
    process = subprocess.Popen(  # noqa: S603 - our own command
        [*COMMAND, "submit", config_yaml, "--address", head.url, "--follow"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    job = process.stdout.readline().strip()
    time.sleep(2)
    process.send_signal(2)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors.startswith(f"{job} goes on:\n")
    assert f"ray job stop {job} --address {head.url}" in errors
    assert client.stop_job(job)
    assert ended(job) == JobStatus.STOPPED
