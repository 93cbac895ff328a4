"""The command line. Exit codes: 0 done, 2 wrong input, 3 failed while running, 130 interrupted."""

import json
import logging
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import click
import typer
from rich.console import Console

from edgestill.config import RunConfig, dump, load
from edgestill.errors import EdgestillError, InputError

app = typer.Typer(
    name="edgestill",
    help="Selective, private distillation from a cloud teacher on fleets of unequal edge devices.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

TABLE_COLUMNS = 100

ConfigPath = Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML configuration.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a dotted key; repeatable."),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print warnings and the result only.")]


@app.command()
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
        _check(folder.config)
    elif config is not None:
        if from_round is not None:
            raise InputError("--from-round needs --resume")
        resolved = load(config, overrides or ())
        _check(resolved)
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


@app.command()
def validate(config: ConfigPath, overrides: Overrides = None, quiet: Quiet = False) -> None:
    """Check a configuration and the data that it names, and print it resolved."""
    resolved = load(config, overrides or ())
    _check(resolved)
    if not quiet:
        sys.stdout.write(dump(resolved))


@app.command()
def data(
    config: Annotated[
        Path | None, typer.Argument(metavar="CONFIG", help="A configuration; av_digits if none.")
    ] = None,
    overrides: Overrides = None,
) -> None:
    """Describe a dataset and how it is dealt to devices, as JSON."""
    from edgestill.config import resolve
    from edgestill.data import describe
    from edgestill.federation import World

    resolved: RunConfig = (
        resolve({}, overrides or ()) if config is None else load(config, overrides or ())
    )
    world = World.build(resolved)
    counts = sorted(len(rows) for rows in world.owned)
    dealt = {
        "devices": len(counts),
        "without_data": counts.count(0),
        "fewest": counts[0],
        "median": counts[len(counts) // 2],
        "most": counts[-1],
    }
    text = json.dumps({**describe(world.dataset), "partition": dealt}, indent=2)
    sys.stdout.write(text + "\n")


def main() -> NoReturn:
    """Run the command line; every mistake of a user's becomes one line and its exit code."""
    sys.exit(_guarded(lambda: app(standalone_mode=False)))


def _guarded(command: Callable[[], object]) -> int:
    try:
        result = command()
    except InputError as error:
        return _complain(str(error), 2)
    except typer.Exit as error:
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except click.exceptions.NoArgsIsHelpError as error:
        return error.exit_code
    except click.ClickException as error:
        return _complain(f"{error.format_message()} (see --help)", error.exit_code)
    except EdgestillError as error:
        return _complain(str(error), 3)
    return result if isinstance(result, int) else 0


def _check(config: RunConfig) -> None:
    """Find what is wrong with a configuration or its data before anything is begun."""
    from edgestill.federation import make_strategy, world_of

    logging.getLogger("flwr").setLevel(logging.ERROR)
    make_strategy(config.federation)
    world_of(config)


def _complain(text: str, code: int) -> int:
    sys.stderr.write(f"edgestill: {text}\n")
    return code


def _stop_by_interrupt() -> None:
    """Let SIGTERM, by which clusters stop jobs, end a run as Ctrl-C does.

    SIGINT is taken too: a shell starts what it puts in the background with that signal ignored.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)


if __name__ == "__main__":
    main()
