"""A report on disk: strict JSON, and the page made from it."""

import json
import os
from pathlib import Path
from typing import Any, NoReturn

from edgestill.errors import InputError
from edgestill.report.schema import SCHEMA, Report, check


def write_report(folder: Path, report: Report) -> tuple[Path, Path]:
    """Write ``report.json`` and ``report.html`` and return their paths.

    Each file is replaced whole or not at all. The JSON is written first, so that figures which
    took hours are kept even if the page cannot be made.

    Args:
        folder: an existing folder.
        report: ``schema``, ``name``, ``seed``, ``rounds`` and ``final`` are required, every other
            part is shown if it is there.

    Raises:
        ValueError: if a required key is absent, or a value is not plain (NaN and infinity are
            not); the message names the path of the key. Nothing is written then.
        InputError: if a file cannot be written, or ``plotly`` is not installed (``report.json``
            is there then).
    """
    check(report)
    text = json.dumps(report, indent=1, allow_nan=False, ensure_ascii=False)
    json_path = _replace(folder / "report.json", text + "\n")
    try:
        from edgestill.report.html import page  # plotly comes with the extra [cloud] only
    except ModuleNotFoundError as error:
        if error.name != "plotly":
            raise
        raise InputError(
            f"{json_path} is written; report.html needs plotly: pip install 'edgestill[cloud]'"
        ) from error
    return json_path, _replace(folder / "report.html", page(report))


def read_report(folder: Path) -> dict[str, Any]:
    """Return the report of a run's folder.

    Raises:
        InputError: if ``report.json`` is missing, is not strict JSON, or is of another schema.
    """
    path = folder / "report.json"
    try:
        report = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_constant)
        check(report)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise InputError(f"{path}: not a report of schema {SCHEMA} ({error})") from error
    return dict(report)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not strict JSON")


def _replace(path: Path, text: str) -> Path:
    """Write beside ``path`` and rename over it, so that no reader ever sees half a file."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from error
    finally:
        temporary.unlink(missing_ok=True)
    return path
