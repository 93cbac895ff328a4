"""``edgestill run``: train a fleet from a teacher."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from edgestill.config import RunConfig, load
from edgestill.errors import InputError
from edgestill.jobs.commands.common import (
    TABLE_COLUMNS,
    Overrides,
    Quiet,
    check,
    check_memory,
    stop_by_interrupt,
)


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
    ui: Annotated[
        bool, typer.Option("--ui", help="Serve a page on this machine that shows the run.")
    ] = False,
    ui_port: Annotated[
        int | None,
        typer.Option(min=0, max=65_535, help="With --ui: its port; a free one by default."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Train a fleet from a teacher and write a report."""
    from edgestill.actors import check_address  # torch and Ray take seconds to import
    from edgestill.jobs import run_folder
    from edgestill.jobs.main_job import run_job
    from edgestill.report import closing_table
    from edgestill.telemetry import configure_logging

    port = _page_port(ui, ui_port)
    if resume is not None:
        if config is not None or overrides or out is not None:
            raise InputError("--resume takes the run as it was: give no CONFIG, --set or --out")
        folder, checkpoint = run_folder.reopen(resume, from_round=from_round)
        check(folder.config)
        if address is None:
            check_memory(folder.config)
    elif config is not None:
        if from_round is not None:
            raise InputError("--from-round needs --resume")
        resolved = load(config, overrides or ())
        check(resolved)
        check_address(address)
        if address is None:
            check_memory(resolved)
            _check_exporter(resolved)
        folder, checkpoint = run_folder.create(resolved, out), None
    else:
        raise InputError("expected CONFIG or --resume DIR")
    configure_logging(folder.log, quiet=quiet)
    stop_by_interrupt()
    try:
        report = run_job(folder, address=address, resume_from=checkpoint, quiet=quiet, ui_port=port)
    except KeyboardInterrupt:
        again = ["edgestill", "run", "--resume", str(folder.path)]
        again += [] if address is None else ["--address", address]
        sys.stderr.write(f"interrupted; go on with: {shlex.join(again)}\n")
        raise
    # Where nobody says how wide the page is, the tables get what they need.
    console = Console() if sys.stdout.isatty() else Console(width=TABLE_COLUMNS)
    console.print(closing_table(report))
    console.print(f"\n{folder.path / 'report.html'}", soft_wrap=True)


def _check_exporter(config: RunConfig) -> None:
    """Find a port in use before the run's folder is made."""
    from edgestill.telemetry import Exporter, MetricStore

    probe = Exporter(MetricStore(), host=config.telemetry.host, port=config.telemetry.port)
    probe.start()
    probe.stop()


def _page_port(ui: bool, ui_port: int | None) -> int | None:
    """Return the port to serve the page on, 0 for a free one; None for no page."""
    if not ui:
        if ui_port is not None:
            raise InputError("--ui-port needs --ui")
        return None
    from edgestill.page.server import HOST  # a web framework, for who asks for the page
    from edgestill.web import listen

    listen(HOST, ui_port or 0, option="--ui-port").close()
    return ui_port or 0
