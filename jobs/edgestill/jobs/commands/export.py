"""``edgestill export``: a run's student as a file for devices."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from edgestill.errors import InputError
from edgestill.jobs.commands.common import TABLE_COLUMNS, Quiet

if TYPE_CHECKING:
    from edgestill.jobs.students import Exported, Student
    from edgestill.report.table import Table

FORMATS = ("onnx",)


def export(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="The folder of a run.")],
    level: Annotated[str, typer.Option(help="high, medium, low or critical.")],
    file_format: Annotated[str, typer.Option("--format", help="onnx.")] = "onnx",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="By default RUN_DIR/student-LEVEL.onnx.")
    ] = None,
    batch: Annotated[
        int | None, typer.Option(min=1, help="Fixed samples in a call; free by default.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Write the student of a run at a level as a file; check and measure it.

    It is of the newest checkpoint, of a run that has ended or was stopped. Beside FILE, a .json has
    what is printed.
    """
    if file_format not in FORMATS:
        raise InputError(f"--format {file_format}: expected {' or '.join(FORMATS)}")
    from edgestill.jobs.students import export_student, open_student  # torch takes seconds

    student = open_student(run_dir, level)
    path = (out or run_dir / f"student-{level}.{file_format}").absolute()
    exported = export_student(student, path, batch=batch)
    if not quiet:
        console = Console() if sys.stdout.isatty() else Console(width=TABLE_COLUMNS)
        _show(console, exported)
    sys.stdout.write(f"{path}\n")


def _show(console: Console, exported: "Exported") -> None:
    from rich.text import Text

    from edgestill.report import closing_group

    student = exported.student
    heading = Text.assemble(
        (f"student {student.allocation.level}", "bold"),
        f"  after round {student.round_number}  in {student.precision}",
    )
    console.print(closing_group(heading, [_checked(exported), _measured(exported)]))
    for line in _remarks(student, exported):
        console.print(line, soft_wrap=True)
    console.print()


def _checked(exported: "Exported") -> "Table":
    from edgestill.report.table import table
    from edgestill.report.units import percent

    agreements = {"float32": exported.as_float32}
    if exported.agreement is not exported.as_float32:
        agreements[exported.student.precision] = exported.agreement
    columns = ("file", "samples", "same answers", "largest difference", "accuracy", "of the model")
    rows = [
        (
            precision,
            f"{found.samples:,}",
            percent(found.same_answers),
            f"{found.largest_difference:.2g}",
            percent(found.file_accuracy),
            percent(found.model_accuracy),
        )
        for precision, found in agreements.items()
    ]
    return table("Beside the model, on validation samples", columns, rows)


def _measured(exported: "Exported") -> "Table":
    from edgestill.report.table import table
    from edgestill.report.units import amount

    footing = exported.footing
    columns = ("file", "parameters", "median", "p95", "memory of the model", "of its process")
    row = (
        amount(footing.file_bytes, "B"),
        f"{exported.student.parameters:,}",
        f"{1e3 * footing.latency_median_s:.3g} ms",
        f"{1e3 * footing.latency_p95_s:.3g} ms",
        amount(footing.model_memory_bytes, "B"),
        amount(footing.peak_memory_bytes, "B"),
    )
    title = f"In a process of its own: {footing.threads} thread, {footing.samples_per_call} a call"
    return table(title, columns, [row], texts=0)


def _remarks(student: "Student", exported: "Exported") -> list[str]:
    """Return what a reader of the tables must know besides."""
    from edgestill.allocation import Level
    from edgestill.report.units import amount

    footing, level = exported.footing, student.allocation.level
    limit, taken = amount(footing.limit_bytes, "B"), amount(footing.model_memory_bytes, "B")
    verdict = "fits" if footing.fits else "does not fit"
    bound = "most" if level is Level.CRITICAL else "least"
    lines = [f"{verdict} {limit}, the {bound} that level {level} has free: it takes {taken}"]
    if student.allocation.bits not in (8, 32):
        lines.append(
            f"level {level} has {student.allocation.bits} bits; ONNX's operators take "
            f"{student.precision}"
        )
    if personal := student.world.config.training.personal:
        lines.append(
            f"training.personal: {', '.join(personal)} never left the devices; the file has them "
            "as they were drawn"
        )
    return lines
