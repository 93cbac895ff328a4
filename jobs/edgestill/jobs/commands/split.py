"""``edgestill split``: train a model that is split between device and server (TOFC)."""

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from edgestill.config import SplitConfig, load_as
from edgestill.jobs.commands.common import TABLE_COLUMNS, ConfigPath, Overrides, Quiet


def split(
    config: ConfigPath,
    overrides: Overrides = None,
    out: Annotated[
        Path | None, typer.Option(help="A new folder; by default runs/NAME-TIME.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Train encoder, token merging, feature codec and server's half, one pair for each rate."""
    resolved = load_as(SplitConfig, config, overrides or ())
    from edgestill.jobs.split_job import create_folder, train_split  # torch takes seconds

    folder = out or Path("runs") / f"{resolved.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    create_folder(folder)
    console = Console() if sys.stdout.isatty() else Console(width=TABLE_COLUMNS)
    report = train_split(resolved, folder, (lambda _: None) if quiet else _say)
    _show(console, report)
    console.print(f"\n{folder / 'split.json'}", soft_wrap=True)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _show(console: Console, report: Mapping[str, Any]) -> None:
    from rich.text import Text

    from edgestill.report import closing_group
    from edgestill.report.table import table
    from edgestill.report.units import percent

    columns = ("lambda", "bytes", "accuracy", "one object", "relations", "halves")
    uncoded = report["uncoded"]
    rows = [("not coded", f"{uncoded['bytes']:.0f}", percent(uncoded["accuracy"]), "", "", "")]
    rows += [
        (
            f"{rate['rate_weight']:g}",
            f"{rate['bytes']:.0f}",
            percent(rate["accuracy"]),
            percent(rate["own_accuracy"]),
            percent(rate["relational_accuracy"]),
            rate["folder"],
        )
        for rate in report["rates"]
    ]
    console.print(closing_group(Text(report["name"]), [table("On the test part", columns, rows)]))
