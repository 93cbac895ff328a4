"""However many actors there are, and whichever of them die: the same result, and none is left."""

import gc
import threading
from pathlib import Path

import pytest
from processes import actor_processes, wait_until

from edgestill.errors import EdgestillError
from edgestill.jobs import main_job

TITLES = ("ray::Cohort", "ray::Fog", "ray::Teacher", "ray::Telemetry")


def checkpoints(run: Path) -> int:
    return len(list(run.glob("checkpoints/*.safetensors")))


class Assassin(threading.Thread):
    """Kills one process of each title, at work, after the first round."""

    def __init__(self, run: Path, *titles: str) -> None:
        super().__init__(daemon=True)
        self._run, self._titles = run, titles
        self.killed: list[str] = []

    def run(self) -> None:
        wait_until(lambda: checkpoints(self._run), within_s=120, what="first checkpoint")
        for title in self._titles:
            process = wait_until(lambda t=title: actor_processes(t), within_s=60, what=title)[0]
            process.kill()
            self.killed.append(title)


def trained(report):
    """All devices that trained did so in lanes."""
    return sum(row["completed"] + row["late"] for row in report["rounds"])


def test_four_cohorts_and_two_fogs_give_what_one_gives(run_here, reference):
    report = run_here("engine.cohorts=4", "engine.fogs=2")
    assert report["engine"] == {
        "cohorts": 4,
        "fogs": 2,
        "device": "cpu",
        "pool": {"least": 4, "most": 4, "changes": []},
        "trainings": {"vectorized": trained(report), "one_by_one": 0, "reason": None},
        "actor_restarts": 0,
        "devices_lost": 0,
    }
    assert report["final"] == reference["final"]


def test_a_cohort_a_fog_and_the_teacher_killed_in_mid_run_change_nothing(
    run_here, reference, tmp_path
):
    titles = ("ray::Cohort.run", "ray::Fog", "ray::Teacher")
    assassin = Assassin(tmp_path, *titles)
    assassin.start()
    report = run_here("engine.cohorts=2", out=tmp_path)
    assassin.join(timeout=1.0)
    assert assassin.killed == list(titles)
    assert report["engine"]["actor_restarts"] == 1
    assert report["engine"]["devices_lost"] == 0
    assert report["final"] == reference["final"]
    exposition = (tmp_path / "metrics.prom").read_text()
    assert 'edgestill_actor_restarts_total{tier="cohort"} 1.0' in exposition
    assert "edgestill_devices_lost_total 0.0" in exposition


@pytest.fixture
def none_is_left():
    """Check that a run's actors end with it, though nothing collects the handles to them."""
    before = living()
    gc.collect()
    gc.disable()
    yield
    try:
        wait_until(lambda: living() <= before, within_s=30, what="the end of the run's actors")
    finally:
        gc.enable()


def living() -> set[int]:
    return {process.pid for title in TITLES for process in actor_processes(title)}


def test_a_run_that_ends_leaves_no_actor(run_here, none_is_left):
    run_here("engine.cohorts=1", "federation.rounds=2")


def test_a_run_that_fails_leaves_no_actor(run_here, none_is_left, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise EdgestillError("no report today")

    monkeypatch.setattr(main_job, "build_report", fail)
    with pytest.raises(EdgestillError, match="no report today"):
        run_here("engine.cohorts=1", "federation.rounds=2")
