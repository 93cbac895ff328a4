"""``edgestill submit``: the main job on a cluster whose nodes have only the dependencies."""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgestill.config import load
from edgestill.errors import InputError, RunError
from edgestill.jobs.commands.common import Overrides, check

if TYPE_CHECKING:
    from edgestill.jobs.submission import Head, Job

Address = Annotated[
    str, typer.Option(metavar="URL", help="The head's dashboard, http://HOST:8265.")
]
Fetched = Annotated[
    Path | None, typer.Option(help="Where artefacts go; new, by default runs/SUBMISSION_ID.")
]


def submit(
    address: Address,
    config: Annotated[
        Path | None, typer.Argument(metavar="CONFIG", help="A YAML configuration.")
    ] = None,
    overrides: Overrides = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Print the job's log, then fetch its artefacts.")
    ] = False,
    out: Fetched = None,
    storage: Annotated[
        str | None, typer.Option(help="The head's folder for runs, by default ~/edgestill/runs.")
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(metavar="SUBMISSION_ID", help="Take up a job that was stopped; no CONFIG."),
    ] = None,
) -> None:
    """Run the main job on a Ray cluster, whose nodes need the dependencies and not this package.

    The package, CONFIG and the files that CONFIG names are sent along. The job waits until the
    cluster has engine.cohorts free CPUs. The run is kept on the head in STORAGE/SUBMISSION_ID.

    Then, with --address URL each: ray job status ID; ray job logs --follow ID; ray job stop ID,
    which keeps the last finished round; edgestill fetch ID.
    """
    _check_together(config, resume, overrides, storage, follow, out)
    if config is not None:
        head, job = _send_new(config, overrides or (), storage, address)
    else:
        head, job = _send_again(str(resume), address)
    sys.stdout.write(f"{job.id}\n")
    sys.stdout.flush()
    if follow:
        follow_to_end(head, job.id, out)
    else:
        sys.stderr.write(_what_now(head, job.id))


def follow_to_end(head: "Head", submission_id: str, out: Path | None) -> None:
    """Print a job's log, fetch its artefacts, and say how it ended.

    Raises:
        RunError: it did not succeed, or nothing could be fetched.
        KeyboardInterrupt: the job goes on, and it was said how to follow it again.
    """
    try:
        details = head.follow(submission_id)
    except (KeyboardInterrupt, RunError):
        sys.stderr.write(f"{submission_id} goes on:\n{_what_now(head, submission_id)}")
        raise
    status = details.status.value
    failed = f"{submission_id} ended {status}; its log says why"
    try:
        fetched = head.fetch(submission_id, out or Path("runs") / submission_id)
    except RunError as error:
        if status == "SUCCEEDED":
            raise
        raise RunError(f"{failed}; {error}") from error
    for path in fetched:
        sys.stdout.write(f"{path}\n")
    if status != "SUCCEEDED":
        raise RunError(failed)


def _check_together(
    config: Path | None,
    resume: str | None,
    overrides: list[str] | None,
    storage: str | None,
    follow: bool,
    out: Path | None,
) -> None:
    from edgestill.jobs.submission.artefacts import check_out

    if (config is None) == (resume is None):
        raise InputError("expected CONFIG or --resume SUBMISSION_ID, and not both")
    if resume is not None and (overrides or storage is not None):
        raise InputError("--resume takes the run as it was: give no --set or --storage")
    if out is not None:
        if not follow:
            raise InputError("--out needs --follow; without it, edgestill fetch takes --out")
        check_out(out)


def _send_new(
    path: Path, overrides: Sequence[str], storage: str | None, address: str
) -> tuple["Head", "Job"]:
    from edgestill.jobs import submission  # torch and Ray take seconds to import

    config = load(path, overrides)
    check(config)
    head = submission.connect(address)
    with tempfile.TemporaryDirectory(prefix="edgestill-") as folder:
        staged = submission.stage(config, Path(folder))
        job = submission.new_job(
            staged.config,
            storage=storage or submission.DEFAULT_STORAGE,
            working_tree=path.resolve().parent,
        )
        head.submit(job, staged)
    return head, job


def _send_again(earlier: str, address: str) -> tuple["Head", "Job"]:
    from edgestill.jobs import submission

    head = submission.connect(address)
    details = head.details(earlier)
    if not details.status.is_terminal():
        raise InputError(
            f"--resume {earlier}: it is {details.status.value}; stop it first: "
            f"ray job stop {earlier} --address {address}"
        )
    job = submission.resumed_job(earlier, details.metadata or {})
    with tempfile.TemporaryDirectory(prefix="edgestill-") as folder:
        head.submit(job, submission.stage_package(Path(folder)))
    return head, job


def _what_now(head: "Head", submission_id: str) -> str:
    at = f"--address {head.address}"
    return (
        f"  status  ray job status {submission_id} {at}\n"
        f"  log     ray job logs {submission_id} --follow {at}\n"
        f"  stop    ray job stop {submission_id} {at}\n"
        f"  fetch   edgestill fetch {submission_id} {at}\n"
        f"  resume  edgestill submit --resume {submission_id} {at}\n"
    )
