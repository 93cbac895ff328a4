"""``edgestill infer``: answer pictures or arrays on this device, with the help of the cloud."""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from edgestill.errors import InputError
from edgestill.jobs.commands.common import TABLE_COLUMNS
from edgestill.jobs.commands.token import TOKEN_VARIABLE, serving_token

if TYPE_CHECKING:
    from edgestill.inference.answer import Answer
    from edgestill.inference.client import JointAnswer
    from edgestill.jobs.serving.infer import Row
    from edgestill.report.table import Table

_COLUMNS = ("file", "answer", "by", "why", "rate", "bytes", "edge", "code", "link", "cloud")


def infer(
    run_dir: Annotated[
        Path, typer.Argument(metavar="RUN_DIR", help="A folder of `joint`, or a run with joint/.")
    ],
    given: Annotated[
        Path,
        typer.Option("--input", metavar="FILE_OR_DIR", help="PNG, JPEG, .npy or .npz, or many."),
    ],
    cloud: Annotated[
        str | None, typer.Option(metavar="URL", help="Who is asked about hard inputs.")
    ] = None,
    fog: Annotated[
        str | None, typer.Option(metavar="URL", help="Who else is; the faster one is asked first.")
    ] = None,
    deadline_ms: Annotated[
        int, typer.Option(min=1, max=600_000, help="From an input to its answer.")
    ] = 500,
    ca: Annotated[
        Path | None, typer.Option(metavar="FILE", help="PEM certificates to trust.")
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help=f"What is shown to both; else ${TOKEN_VARIABLE}."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line for each input.")
    ] = False,
) -> None:
    """Answer inputs here; ask the fog or the cloud about those that are hard.

    What they do not answer in time keeps this device's own answer. A file that cannot be read, and
    a token, model or certificate that is refused, make the exit code 2, after all else is answered.
    """
    token = serving_token(token_file)
    from edgestill.jobs.serving.infer import WRONG, Asked, Device  # torch takes seconds
    from edgestill.jobs.serving.inputs import files_of

    files = files_of(given)
    asked = Asked(cloud=cloud, fog=fog, token=token, ca=ca, deadline_s=1e-3 * deadline_ms)
    with Device(run_dir, asked) as device:
        answers = device.answers(files)
        rows = _print_lines(answers) if as_json else list(answers)
        level = device.limits.level
    bad = [row.error for row in rows if row.error is not None]
    found = [row.found for row in rows if row.found is not None]
    if not found:
        raise InputError(bad[0])
    if not as_json:
        _show(rows, f"level {level}")
    said = [one.said for one in found if one.said]
    # The same line for each input would tell no more.
    for line in (*bad, *dict.fromkeys(said)):
        sys.stderr.write(f"edgestill: {line}\n")
    if bad or any(one.reason in WRONG for one in found):
        raise typer.Exit(2)


def _print_lines(answers: "Iterable[Row]") -> "list[Row]":
    rows = []
    for row in answers:
        sys.stdout.write(json.dumps(row.plain()) + "\n")
        sys.stdout.flush()
        rows.append(row)
    return rows


def _show(rows: "Sequence[Row]", level: str) -> None:
    from rich.text import Text

    from edgestill.report import closing_group
    from edgestill.report.units import amount

    found = [row.found for row in rows if row.found is not None]
    by = Counter(one.answer.by for one in found)
    who = ", ".join(f"{by[tier]} by the {tier}" for tier in ("edge", "fog", "cloud") if by[tier])
    sent = amount(sum(one.bytes_sent for one in found), "B")
    inputs = "1 input" if len(found) == 1 else f"{len(found)} inputs"
    heading = Text(f"{inputs}: {who}; {sent} sent; {level}")
    console = Console() if sys.stdout.isatty() else Console(width=TABLE_COLUMNS)
    console.print(closing_group(heading, [_table(rows)]))
    console.print()


def _table(rows: "Sequence[Row]") -> "Table":
    from edgestill.report.table import table

    cells = [(row.name, *_cells(row.found)) for row in rows]
    return table("Answers; times in ms", _COLUMNS, cells, texts=4)


def _cells(found: "JointAnswer | None") -> tuple[str, ...]:
    if found is None:
        return ("-", "-", "unreadable", *["-"] * 6)
    times = (found.edge_s, found.encode_s, found.link_s, found.cloud_s)
    return (
        _told(found.answer),
        found.answer.by,
        found.reason,
        "-" if found.rate is None else str(found.rate),
        f"{found.bytes_sent:,}",
        *(f"{1e3 * seconds:.1f}" for seconds in times),
    )


def _told(answer: "Answer") -> str:
    if answer.label is not None:
        return f"{answer.label} ({answer.confidence:.0%})"
    return f"{len(answer.boxes)} boxes"
