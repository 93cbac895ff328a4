"""Whole apps on a fleet of actors: the same numbers as Flower's engine, failures, the folder."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest
from processes import wait_until
from ray_head import free_ports
from safetensors.numpy import load_file

from edgestill.actors import check_address
from edgestill.errors import InputError, RunError
from edgestill.jobs.flower import AppRun, run_app, running

HERE = Path(__file__).parent
APPS = HERE / "flower_apps"
COMMAND = [sys.executable, "-m", "edgestill.jobs.cli", "flower", "run"]
EXAMPLES = "EDGESTILL_FLOWER_EXAMPLES"

STRATEGIES = [
    ("digits_cnn", 'strategy="FedAvg" fraction-evaluate=0.0'),
    ("digits_cnn", 'strategy="FedAdam" fraction-evaluate=0.0'),
    ("digits_cnn", 'strategy="FedMedian" fraction-evaluate=0.0'),
    ("digits_logreg", "local-epochs=1"),
]


@pytest.fixture
def app_of(tmp_path) -> Callable[[str], Path]:
    """A copy of an app: apps write beside themselves."""
    return lambda name: Path(shutil.copytree(APPS / name, tmp_path / name))


@pytest.fixture
def run_here(ray_here, monkeypatch) -> Callable[..., AppRun]:
    """Run an app on the Ray of this process, on two cohorts unless told otherwise."""

    @contextmanager
    def already_connected(address: str | None, **_: object) -> Iterator[None]:
        yield

    monkeypatch.setattr(running, "cluster", already_connected)
    return lambda folder, **how: run_app(folder, **{"cohorts": 2, "devices": 6, **how})


@pytest.mark.parametrize(("name", "config"), STRATEGIES)
def test_a_strategy_gives_the_same_numbers_as_on_flowers_engine(
    app_of, run_here, tmp_path, name, config
):
    folder, out = app_of(name), tmp_path / "engine.npz"
    config = f"{config} num-server-rounds=2"
    program = [sys.executable, str(HERE / "flower_engine_app.py"), ".", str(out), "6", config]
    subprocess.run(program, check=True, timeout=240, cwd=folder)  # noqa: S603 - our own program
    ours = run_here(folder, run_config=[config]).arrays
    with np.load(out) as theirs:
        assert ours.keys() == set(theirs.files) - {"round_wall_s"}
        for key, array in ours.items():
            # Replies are averaged in the order of their coming there, of the devices here, so that
            # float32 sums differ in the last bit; FedAdam divides that by sqrt(v) + 1e-3.
            np.testing.assert_allclose(array, theirs[key], rtol=0, atol=1e-6)


def test_neither_arrays_nor_metrics_depend_on_how_many_cohorts_there_are(app_of, run_here):
    folder = app_of("digits_cnn")
    one, three = (run_here(folder, cohorts=cohorts) for cohorts in (1, 3))
    for key, array in one.arrays.items():
        assert np.array_equal(array, three.arrays[key])
    assert one.recording.evaluate == three.recording.evaluate
    # The state of each device has counted its rounds.
    assert [row["rounds"] for row in one.recording.train.values()] == pytest.approx([1, 2])


def test_failures_of_every_kind_are_the_strategys_failures(app_of, run_here):
    faults = "0:raise 1:exit 2:none 3:type 4:shape 5:nan"
    run = run_here(app_of("faulty"), devices=8, run_config=[f"faults='{faults}'"])
    assert [row.work["train"].answered for row in run.rounds] == [8, 2, 8]
    assert run.rounds[1].work["train"].failed == {
        "Raised": 2,
        "WrongType": 2,
        "WrongShape": 1,
        "NotFinite": 1,
    }
    assert run.pool["changes"] == []
    # The app's own files were found, its mods applied, its states kept; failed calls left none.
    last = run.recording.train[3]
    assert (last["words"], last["mods"]) == pytest.approx((3, 1))
    assert last["calls"] == pytest.approx((6 * 3 + 2 * 2) / 8)


def test_a_device_that_never_answers_costs_its_round_and_no_more(app_of, run_here):
    run = run_here(
        app_of("faulty"), devices=8, run_config=["faults='1:hang'"], timeout_s=4.0, seed=3
    )
    late, after = run.rounds[1].work["train"], run.rounds[2].work["train"]
    assert 1 <= late.failed["TimedOut"] <= 4
    assert late.answered == 8 - late.failed["TimedOut"]
    assert (after.answered, after.failed) == (8, {})


def test_a_round_in_which_all_fail_ends_the_older_server_too(app_of, run_here):
    folder = app_of("digits_logreg")
    path = folder / "logreg" / "client_app.py"
    path.write_text(path.read_text().replace("set_params(self.model, parameters)", "1 / 0", 1))
    with pytest.raises(RunError, match="round 1: all of 6 devices failed") as failure:
        run_here(folder)
    assert "ZeroDivisionError" in str(failure.value)


def test_the_command_writes_report_arrays_metrics_and_log(app_of, tmp_path):
    out, folder = tmp_path / "out", app_of("digits_cnn")
    program = [*COMMAND, str(folder), "--devices", "5", "--rounds", "3", "--out", str(out)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=240)  # noqa: S603
    assert done.returncode == 0, done.stderr
    report = json.loads((out / "report.json").read_text())
    assert report["schema"] == "edgestill.flower-report/1"
    assert report["outcome"] == "done"
    assert [row["work"]["train"]["answered"] for row in report["rounds"]] == [5, 5, 5]
    assert report["final"]["fits"] == 15
    assert 0 < report["final"]["evaluate_metrics"]["eval_acc"] <= 1
    assert load_file(out / "arrays.safetensors")["out.weight"].shape == (10, 64)
    assert (
        'edgestill_devices_completed_total{group="digits-cnn"} 15.0'
        in (out / "metrics.prom").read_text()
    )
    assert "flower: [ROUND 3/3]" in (out / "run.log").read_text()
    assert "5 of 5" in done.stdout
    assert (folder / "final_model.pt").exists()


def test_an_interrupt_ends_the_run_and_its_processes(app_of, tmp_path):
    out = tmp_path / "out"
    program = [*COMMAND, str(app_of("faulty")), "--devices", "4", "--out", str(out)]
    process = subprocess.Popen(  # noqa: S603 - our own command
        [*program, "--run-config", "faults='1:hang'"],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        wait_until(
            lambda: "flower: [ROUND 2/3]" in _text(out / "run.log"), within_s=120, what="round 2"
        )
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert f"interrupted; what came before is in {out}" in errors
    assert "Traceback" not in errors
    assert json.loads((out / "report.json").read_text())["outcome"] == "interrupted"
    wait_until(lambda: not any(p.is_running() for p in family), within_s=20, what="end")


@contextmanager
def plain_head(folder: Path) -> Iterator[str]:
    """Run a Ray head of its own inside the block, and give its address."""
    session = Path(tempfile.mkdtemp(prefix="ef", dir="/tmp"))
    address = f"127.0.0.1:{free_ports(1)[0]}"
    program = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"]
    with (folder / "head.log").open("w") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [
                *(*program, f"--port={address.partition(':')[2]}", f"--temp-dir={session}"),
                *("--num-cpus=2", "--include-dashboard=false", "--disable-usage-stats"),
                "--node-ip-address=127.0.0.1",
            ],
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_until(lambda: _answers(address), within_s=90, what="the head")
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
        shutil.rmtree(session, ignore_errors=True)


def test_on_a_cluster_the_app_is_brought_to_its_actors(app_of, tmp_path):
    out = tmp_path / "out"
    with plain_head(tmp_path) as address:
        program = [*COMMAND, str(app_of("faulty")), "--devices", "4", "--out", str(out)]
        done = subprocess.run(  # noqa: S603 - our own command
            [*program, "--address", address], capture_output=True, text=True, timeout=200
        )
    assert done.returncode == 0, done.stderr
    last = json.loads((out / "report.json").read_text())["final"]["train_metrics"]
    assert (last["brought"], last["words"], last["calls"]) == pytest.approx((1, 3, 3))


@pytest.mark.skipif(EXAMPLES not in os.environ, reason=f"{EXAMPLES} names no folder of examples")
def test_public_examples_run(run_here, tmp_path):
    for example in sorted(Path(os.environ[EXAMPLES]).iterdir()):
        folder = Path(shutil.copytree(example, tmp_path / example.name))
        run = run_here(folder, devices=4, rounds=2)
        assert [row.work["train"].failed for row in run.rounds if row.number] == [{}, {}]
        assert run.arrays


def _answers(address: str) -> bool:
    try:
        check_address(address)
    except InputError:
        return False
    return True


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""
