"""``edgestill run``: train a fleet from a teacher."""

import shlex
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console

from edgestill.config import load
from edgestill.errors import InputError
from edgestill.jobs.commands.common import TABLE_COLUMNS, Overrides, Quiet, check


def run(
    config: Annotated[
        Path | None, typer.Argument(metavar="CONFIG", help="A YAML configuration.")
    ] = None,
    overrides: Overrides = None,
    out: Annotated[
        Path | None, typer.Option(help="The run's folder; new, by default runs/NAME-TIME.")
    ] = None,
    address: Annotated[
        str | None, typer.Option(help="HOST:PORT of a Ray cluster; this machine by default.")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Take up the run in this folder; give no CONFIG then.")
    ] = None,
    from_round: Annotated[
        int | None, typer.Option(min=1, help="With --resume: go on after this round.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Train a fleet from a teacher and write a report."""
    from edgestill.actors import check_address  # torch and Ray take seconds to import
    from edgestill.jobs import run_folder
    from edgestill.jobs.main_job import run_job
    from edgestill.report import closing_table
    from edgestill.telemetry import configure_logging

    if resume is not None:
        if config is not None or overrides or out is not None:
            raise InputError("--resume takes the run as it was: give no CONFIG, --set or --out")
        folder, checkpoint = run_folder.reopen(resume, from_round=from_round)
        check(folder.config)
    elif config is not None:
        if from_round is not None:
            raise InputError("--from-round needs --resume")
        resolved = load(config, overrides or ())
        check(resolved)
        check_address(address)
        folder, checkpoint = run_folder.create(resolved, out), None
    else:
        raise InputError("expected CONFIG or --resume DIR")
    configure_logging(folder.log, quiet=quiet)
    _stop_by_interrupt()
    try:
        report = run_job(folder, address=address, resume_from=checkpoint, quiet=quiet)
    except KeyboardInterrupt:
        again = ["edgestill", "run", "--resume", str(folder.path)]
        again += [] if address is None else ["--address", address]
        sys.stderr.write(f"interrupted; go on with: {shlex.join(again)}\n")
        raise
    # Where nobody says how wide the page is, the tables get what they need.
    console = Console() if sys.stdout.isatty() else Console(width=TABLE_COLUMNS)
    console.print(closing_table(report))
    console.print(f"\n{folder.path / 'report.html'}", soft_wrap=True)


def _stop_by_interrupt() -> None:
    """Let SIGTERM, by which clusters stop jobs, end a run as Ctrl-C does.

    SIGINT is taken too: a shell starts what it puts in the background with that signal ignored.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
