"""A run's folder: made once, never written over, taken up again by ``--resume``."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from edgestill.actors import submission
from edgestill.config import RunConfig, digest, dump, load
from edgestill.errors import CheckpointError, InputError
from edgestill.federation import Checkpoint, CheckpointFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolder:
    """Where a run keeps what it makes."""

    path: Path
    config: RunConfig

    @property
    def checkpoints(self) -> CheckpointFolder:
        """The state after each round of the main federation."""
        return CheckpointFolder(self.path / "checkpoints", digest(self.config))

    @property
    def teacher(self) -> Path:
        """The teacher's bank and figures."""
        return self.path / "teacher"

    @property
    def log(self) -> Path:
        """The log."""
        return self.path / "run.log"

    def write_metrics(self, exposition: bytes) -> None:
        """Keep the last exposition of all metrics."""
        partial = self.path / ".metrics.prom"
        partial.write_bytes(exposition)
        os.replace(partial, self.path / "metrics.prom")


def create(config: RunConfig, out: Path | None) -> RunFolder:
    """Make a new folder and write the resolved configuration.

    By default it is ``runs/NAME-TIME``, and in a submitted job ``~/edgestill/runs/SUBMISSION_ID``:
    Ray removes a job's own folder some time after the job.

    Raises:
        InputError: the folder holds something already, or cannot be made.
    """
    path = (out or _default(config)).absolute()
    try:
        path.mkdir(parents=True, exist_ok=True)
        if any(path.iterdir()):
            raise InputError(
                f"--out {path}: not empty; give another folder, or take the run in it up again "
                f"with --resume {path}"
            )
        (path / "config.yaml").write_text(dump(config), encoding="utf-8")
    except OSError as error:
        raise InputError(f"--out {path}: cannot be written: {error}") from error
    return RunFolder(path=path, config=config)


def _default(config: RunConfig) -> Path:
    if (job := submission()) is not None:
        return Path.home() / "edgestill" / "runs" / job.id
    return Path("runs") / f"{config.name}-{datetime.now(UTC):%Y%m%d-%H%M%S}"


def reopen(path: Path, *, from_round: int | None) -> tuple[RunFolder, Checkpoint | None]:
    """Open an earlier run's folder and find its newest sound checkpoint.

    A run that was stopped before its first round ended has none and begins anew.

    Raises:
        InputError: no run is there.
        CheckpointError: its checkpoints are all damaged, or of another configuration.
    """
    path = path.absolute()
    if not (path / "config.yaml").is_file():
        raise InputError(f"--resume {path}: no config.yaml there; give the folder of a run")
    folder = RunFolder(path=path, config=load(path / "config.yaml"))
    if not (path / "checkpoints").is_dir():
        if from_round:
            raise CheckpointError(f"--from-round {from_round}: {path} has no checkpoints")
        return folder, None
    return folder, folder.checkpoints.newest(at_most=from_round)
