"""``edgestill bench``: measure, and say which claims hold."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from edgestill.errors import InputError
from edgestill.jobs.commands.common import TABLE_COLUMNS, Quiet


def bench(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Which benchmark.")],
    quick: Annotated[
        bool, typer.Option("--quick", help="Measure less, in at most 90 seconds.")
    ] = False,
    out: Annotated[Path, typer.Option(help="The folder of NAME.json.")] = Path("runs/bench"),
    quiet: Quiet = False,
) -> None:
    """Run a benchmark, print its claims, write them as JSON and HTML; exit 0 even if one fails."""
    from edgestill.jobs.benchmarks import BENCHMARKS
    from edgestill.jobs.benchmarks.form import (
        checked_path,
        print_claims,
        print_tables,
        replace_file,
        write_benchmark,
    )
    from edgestill.jobs.benchmarks.page import benchmark_page

    if name not in BENCHMARKS:
        raise InputError(f"unknown benchmark {name!r}; known: {', '.join(BENCHMARKS)}")
    checked_path(out, name)
    measured = BENCHMARKS[name](quick=quick, quiet=quiet)
    command = shlex.join(["edgestill", *sys.argv[1:]])
    path = write_benchmark(
        out,
        name,
        configuration=measured.configuration,
        results=measured.results,
        claims=measured.claims,
        command=command,
    )
    page = replace_file(path.with_suffix(".html"), benchmark_page(name, measured, command))
    beside = [replace_file(out / file, content) for file, content in measured.files.items()]
    console = Console() if sys.stdout.isatty() else Console(width=TABLE_COLUMNS)
    print_tables(console, measured.tables)
    print_claims(console, measured.claims)
    console.print("\n" + "\n".join(map(str, (path, page, *beside))), soft_wrap=True)
