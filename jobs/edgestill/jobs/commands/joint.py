"""``edgestill joint``: train a model for joint inference of edge and cloud (ECCENTRIC)."""

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from edgestill.config import JointConfig, load_as
from edgestill.errors import InputError
from edgestill.jobs.commands.common import TABLE_COLUMNS, Overrides, Quiet

if TYPE_CHECKING:
    from edgestill.report.table import Table


def joint(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="CONFIG|RUN_DIR", help="A YAML configuration, or the folder of a run."
        ),
    ],
    overrides: Overrides = None,
    out: Annotated[
        Path | None,
        typer.Option(help="A new folder; by default runs/NAME-TIME, of a run RUN_DIR/joint."),
    ] = None,
    level: Annotated[
        str, typer.Option(help="Of a run: whose student is the edge; high, medium, low, critical.")
    ] = "high",
    quiet: Quiet = False,
) -> None:
    """Train edge, codec, adapters and cloud together; or adapt a run's teacher to its student."""
    told = (lambda _: None) if quiet else _say
    if source.is_dir():
        if overrides:
            raise InputError("--set: not for the folder of a run, whose configuration is in it")
        from edgestill.jobs.joint.of_run import adapt_run

        folder = out or source / "joint"
        report = adapt_run(source, level, folder, told)
    else:
        folder, report = _trained(source, overrides or [], out, told)
    console = Console() if sys.stdout.isatty() else Console(width=TABLE_COLUMNS)
    _show(console, report)
    console.print(f"\n{folder / 'joint.json'}", soft_wrap=True)


def _trained(
    source: Path, overrides: list[str], out: Path | None, told: Any
) -> tuple[Path, dict[str, Any]]:
    resolved = load_as(JointConfig, source, overrides)
    from edgestill.jobs.joint.training import splits_of, train_model  # torch takes seconds
    from edgestill.jobs.split_job import create_folder

    folder = out or Path("runs") / f"{resolved.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    splits = splits_of(resolved)
    create_folder(folder)
    return folder, train_model(resolved, splits, folder, told)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _show(console: Console, report: Mapping[str, Any]) -> None:
    from rich.text import Text

    from edgestill.report import closing_group

    tables = [_ways(tier, report) for tier in report["ways"]]
    console.print(closing_group(Text(report["name"]), [*tables, _architectures(report)]))


def _ways(tier: str, report: Mapping[str, Any]) -> "Table":
    from edgestill.report.table import table
    from edgestill.report.units import amount, percent

    columns = ("way", _metric(report), "bytes", "edge", tier)
    rows = [
        (
            row["way"],
            percent(row["score"]),
            f"{row['bytes']:.0f}",
            amount(row["edge_flops"], "FLOP"),
            amount(row["cloud_flops"], "FLOP"),
        )
        for row in report["ways"][tier]["test"]
    ]
    return table(f"Edge and {tier}, for one input, on the test part", columns, rows)


def _architectures(report: Mapping[str, Any]) -> "Table":
    from edgestill.report.table import table
    from edgestill.report.units import percent

    columns = ("architecture", _metric(report), "bytes", "edge", "cloud", "handed on")
    rows = [_point(row["architecture"], row["test"]) for row in report["architectures"]]
    rows.append(_point("the model's gate", report["gate_on_test"]))
    title = (
        f"To keep {percent(report['kept'])} of the cloud's, chosen on validation, on the test part"
    )
    return table(title, columns, rows)


def _point(name: str, found: Mapping[str, Any] | None) -> tuple[str, ...]:
    from edgestill.report.units import NOTHING, amount, percent

    if found is None:
        return (name, "out of reach", *[NOTHING] * 4)
    return (
        name,
        percent(found["right"]),
        f"{found['bytes_sent']:.0f}",
        amount(found["edge_flops"], "FLOP"),
        amount(found["cloud_flops"], "FLOP"),
        percent(found["offload_rate"]),
    )


def _metric(report: Mapping[str, Any]) -> str:
    return "accuracy" if report["metric"] == "accuracy" else "mAP"
