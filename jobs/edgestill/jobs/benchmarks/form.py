"""The form of every benchmark: what was measured, where, with what, and which claims hold.

``NAME.json`` has ``schema`` "edgestill.bench/1", ``name``, ``command``, ``versions``, ``hardware``,
``configuration``, ``results`` and ``claims``, a list of ``{id, value, target, unit, holds}``.
"""

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edgestill.errors import InputError
from edgestill.jobs.benchmarks.charts import Shown
from edgestill.report.environment import versions_and_hardware
from edgestill.report.table import FAILS, HOLDS

SCHEMA = "edgestill.bench/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A figure beside its target; ``value`` is None where it could not be measured."""

    id: str
    value: float | None
    target: float
    unit: str
    holds: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultTable:
    """Figures beside the claims, for people: ``rows`` of as many cells as there are columns."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a benchmark gives: plain values only, every figure with its unit in its key.

    ``tables`` show some of the results: they are printed, and stand on the page ``NAME.html`` with
    the ``charts``. ``files`` are written beside it, by name, such as a figure as PNG.
    """

    configuration: Mapping[str, Any]
    results: Mapping[str, Any]
    claims: Sequence[Claim]
    tables: Sequence[ResultTable] = ()
    charts: Sequence[Shown] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)


def at_least(id: str, value: float, target: float, unit: str) -> Claim:  # noqa: A002 - the form's key
    """Return the claim that a value reaches its target; one that is not finite never does."""
    return _claim(id, value, target, unit, value >= target)


def at_most(id: str, value: float, target: float, unit: str) -> Claim:  # noqa: A002 - the form's key
    """Return the claim that a value stays within its target; one that is not finite never does."""
    return _claim(id, value, target, unit, value <= target)


def write_benchmark(
    out: Path,
    name: str,
    *,
    configuration: Mapping[str, Any],
    results: Mapping[str, Any],
    claims: Sequence[Claim],
    command: str,
) -> Path:
    """Write ``NAME.json`` into a folder, which is made if need be, and return its path.

    The figures of an earlier measurement are replaced, whole or not at all.

    Raises:
        InputError: the file cannot be written, or is not one of this form.
        ValueError: a value is not plain; nothing is written then.
    """
    document = {
        "schema": SCHEMA,
        "name": name,
        "command": command,
        **versions_and_hardware(),
        "configuration": configuration,
        "results": results,
        "claims": [asdict(claim) for claim in claims],
    }
    text = json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    return replace_file(checked_path(out, name), text)


def replace_file(path: Path, content: str | bytes) -> Path:
    """Write a file whole or not at all, its folder made if need be, and return its path.

    Raises:
        InputError: it cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content.encode() if isinstance(content, str) else content)
        os.replace(partial, path)
    except OSError as error:
        raise InputError(f"--out {path.parent}: cannot be written ({error.strerror})") from error
    return path


def checked_path(out: Path, name: str) -> Path:
    """Return where a benchmark is written.

    Raises:
        InputError: something stands there that is not a benchmark's figures.
    """
    path = out / f"{name}.json"
    if not path.exists():
        return path
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        raise InputError(f"{path}: holds something other than {SCHEMA}; give another --out")
    return path


def print_claims(console: Console, claims: Sequence[Claim]) -> None:
    """Print each claim with its value, its target and whether it holds."""
    made = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1))
    made.add_column("claim", no_wrap=True)
    for column in ("value", "target"):
        made.add_column(column, justify="right", no_wrap=True)
    made.add_column("unit")
    made.add_column("")
    for claim in claims:
        verdict = Text(HOLDS, "green") if claim.holds else Text(FAILS, "bold red")
        value = "-" if claim.value is None else f"{claim.value:.4g}"
        made.add_row(claim.id, value, f"{claim.target:.4g}", claim.unit, verdict)
    console.print(made)


def print_tables(console: Console, tables: Sequence[ResultTable]) -> None:
    """Print each table under its title; cells that are numbers stand to the right."""
    for table in tables:
        made = Table(title=table.title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False)
        for place, column in enumerate(table.columns):
            cells = [row[place] for row in table.rows]
            made.add_column(column, justify="right" if any(map(_numeric, cells)) else "left")
        for row in table.rows:
            made.add_row(*map(Text, row))
        console.print(made)
        console.print()


def _numeric(cell: str) -> bool:
    return cell[:1].isdigit() or cell[:2].lstrip("-").isdigit()


def _claim(id_: str, value: float, target: float, unit: str, reached: bool) -> Claim:
    known = math.isfinite(value)
    return Claim(
        id=id_,
        value=float(value) if known else None,
        target=float(target),
        unit=unit,
        holds=bool(reached and known),
    )
