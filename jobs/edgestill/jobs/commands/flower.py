"""``edgestill flower run``: anybody's Flower app on our fleet."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from edgestill.jobs.commands.common import TABLE_COLUMNS, Quiet, stop_by_interrupt

flower = typer.Typer(
    name="flower", help="Run an unmodified Flower app on the fleet.", no_args_is_help=True
)


@flower.callback()
def _flower() -> None:
    """Run an unmodified Flower app on the fleet."""


@flower.command()
def run(
    app_dir: Annotated[
        Path, typer.Argument(metavar="APP_DIR", help="A folder with [tool.flwr.app].")
    ],
    devices: Annotated[int, typer.Option(min=1, help="How many devices there are.")],
    rounds: Annotated[
        int | None, typer.Option(min=1, help="In place of the app's num-server-rounds.")
    ] = None,
    run_config: Annotated[
        list[str] | None,
        typer.Option(
            metavar="'KEY=VALUE ...'",
            help="Override the app's configuration, as with flwr run; or a TOML file.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the random generators.")] = 7,
    cohorts: Annotated[
        int | None, typer.Option(min=1, help="Actors that run the devices; by default one per CPU.")
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=0.001, help="Real seconds a device has to answer in a round.")
    ] = 3600.0,
    out: Annotated[
        Path | None, typer.Option(help="The run's folder; new, by default runs/NAME-TIME.")
    ] = None,
    address: Annotated[
        str | None, typer.Option(help="HOST:PORT of a Ray cluster; this machine by default.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Run a Flower app, unmodified, and write a report."""
    from edgestill.actors import check_address  # torch and Ray take seconds to import
    from edgestill.jobs.flower import Plan, read_project
    from edgestill.jobs.flower.closing import closing_table
    from edgestill.jobs.flower.folder import create, place
    from edgestill.jobs.flower.job import run_job
    from edgestill.jobs.flower.running import loaded
    from edgestill.telemetry import configure_logging

    plan = Plan(
        project=read_project(app_dir, run_config=run_config or (), rounds=rounds),
        devices=devices,
        cohorts=cohorts,
        seed=seed,
        timeout_s=timeout,
        address=address,
    )
    check_address(address)
    # The app works in its own folder.
    path = place(plan.project.name, out)
    with loaded(plan) as server_app:
        folder = create(path)
        configure_logging(folder.log, quiet=quiet)
        stop_by_interrupt()
        try:
            report = run_job(plan, server_app, folder, quiet=quiet)
        except KeyboardInterrupt:
            sys.stderr.write(f"interrupted; what came before is in {folder.path}\n")
            raise
    console = Console() if sys.stdout.isatty() else Console(width=TABLE_COLUMNS)
    console.print(closing_table(report))
    console.print(f"\n{folder.path / 'report.json'}", soft_wrap=True)
