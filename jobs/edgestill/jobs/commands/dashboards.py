"""``edgestill dashboards``: make what Prometheus and Grafana are configured with."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from edgestill.errors import InputError


def dashboards(
    out: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("dashboards"),
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail if a file is out of date.")
    ] = False,
) -> None:
    """Write Grafana's dashboards, Prometheus' rules and configuration, and a Compose file."""
    from edgestill.monitoring import first_outdated, generated, write

    files = generated()
    if not check:
        write(out, files)
        sys.stdout.write(f"{len(files)} files in {out}\n")
    elif (outdated := first_outdated(out, files)) is not None:
        raise InputError(f"{outdated}: out of date; make it again with: edgestill dashboards")
