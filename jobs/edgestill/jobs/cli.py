"""The command line. Exit codes: 0 done, 2 wrong input, 3 failed while running, 130 interrupted."""

import sys
from collections.abc import Callable
from typing import NoReturn

import click
import typer

from edgestill.errors import EdgestillError, InputError
from edgestill.jobs.commands.bench import bench
from edgestill.jobs.commands.dashboards import dashboards
from edgestill.jobs.commands.data import data
from edgestill.jobs.commands.device import device
from edgestill.jobs.commands.export import export
from edgestill.jobs.commands.fetch import fetch
from edgestill.jobs.commands.flower import flower
from edgestill.jobs.commands.infer import infer
from edgestill.jobs.commands.joint import joint
from edgestill.jobs.commands.monitor import monitor
from edgestill.jobs.commands.run import run
from edgestill.jobs.commands.serve import serve
from edgestill.jobs.commands.split import split
from edgestill.jobs.commands.submit import submit
from edgestill.jobs.commands.validate import validate

app = typer.Typer(
    name="edgestill",
    help="Selective, private distillation from a cloud teacher on fleets of unequal edge devices.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (
    *(run, validate, data, split, joint, export, bench),
    *(serve, infer, submit, fetch, dashboards, monitor, device),
):
    app.command()(command)
app.add_typer(flower)


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


def _complain(text: str, code: int) -> int:
    sys.stderr.write(f"edgestill: {text}\n")
    return code


if __name__ == "__main__":
    main()
