"""Who plays in a contest, and how each is started."""

import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from edgestill.config import RunConfig, dump
from edgestill.errors import RunError
from edgestill.federation import World, save_taught, teach, world_of
from edgestill.jobs.benchmarks.peers import app
from edgestill.jobs.benchmarks.peers.app.digits8.work import FOLDER
from edgestill.jobs.benchmarks.peers.pfl_environment import python_of_pfl
from edgestill.jobs.benchmarks.peers.sides import Side
from edgestill.jobs.benchmarks.simulation_work import (
    Contest,
    digits_config,
    shared_work,
    student_config,
    write_digits,
)

CORES = os.cpu_count() or 1
APP = Path(app.__path__[0])
OURS = ("vectorized", "sequential", "nudged", "unmodified_app")
PEERS = ("flower", "pfl")
RUN_APP = (
    "import sys, pathlib, edgestill.jobs.flower as f; "
    "f.run_app(pathlib.Path(sys.argv[1]), devices=int(sys.argv[2]), timeout_s=600.0)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A contest, ready to be played.

    Attributes:
        contest: what is to be done.
        config: ours.
        folder: where the sides' folders are made.
        teacher: folder of what the teacher was taught; None without distillation.
    """

    contest: Contest
    config: RunConfig
    folder: Path
    teacher: Path | None


def prepare(contest: Contest, folder: Path) -> Prepared:
    """Write the data, or teach the teacher, of a contest into a folder that exists."""
    if contest.name == "student":
        config = student_config(contest, cohorts=CORES)
        teacher = folder / "taught"
        teacher.mkdir()
        _teach(world_of(config), teacher)
        return Prepared(contest=contest, config=config, folder=folder, teacher=teacher)
    data = folder / "data"
    data.mkdir()
    write_digits(data)
    config = digits_config(contest, data, cohorts=CORES)
    return Prepared(contest=contest, config=config, folder=folder, teacher=None)


def start(name: str, prepared: Prepared) -> Side:
    """Start a side in a folder of its own.

    Raises:
        RunError: it is a peer that cannot be installed.
    """
    folder = prepared.folder / name
    folder.mkdir()
    config = prepared.config
    if name in ("sequential", "nudged"):
        engine = config.engine.model_copy(update={"trainer": "sequential"})
        config = config.model_copy(update={"engine": engine})
    (folder / "config.yaml").write_text(dump(config), encoding="utf-8")
    environment: dict[str, str] = {}
    if prepared.teacher is not None:
        shutil.copytree(prepared.teacher, folder / "teacher")
    else:
        shared_work(prepared.contest, world_of(prepared.config)).write(folder)
        environment = {FOLDER: str(folder)}
    if name in PEERS and prepared.teacher is None:
        environment["PYTHONPATH"] = str(APP)
    return Side(name, _command(name, prepared, folder), folder, environment)


def _command(name: str, prepared: Prepared, folder: Path) -> Sequence[str]:
    modules = "edgestill.jobs.benchmarks"
    commands: Mapping[str, Callable[[], list[str]]] = {
        "unmodified_app": lambda: [
            *(sys.executable, "-c", RUN_APP),
            *(str(APP), str(prepared.contest.devices)),
        ],
        "pfl": lambda: [str(python_of_pfl()), "-m", "digits8.pfl_program", str(CORES)],
        "flower": lambda: [sys.executable, "-m", "digits8.flower_engine", str(CORES)],
    }
    if name == "flower" and prepared.teacher is not None:
        return [sys.executable, "-m", f"{modules}.simulation_engine", str(folder), str(CORES)]
    if name in commands:
        return commands[name]()
    command = [sys.executable, "-m", f"{modules}.simulation_ours", str(folder)]
    return [*command, "nudged"] if name == "nudged" else command


def _teach(world: World, folder: Path) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    lessons = teach(world)
    while True:
        try:
            next(lessons)
        except StopIteration as end:
            if end.value is None:
                raise RunError("the teacher learned nothing") from end
            save_taught(end.value, folder)
            break
    torch.set_num_threads(threads)
