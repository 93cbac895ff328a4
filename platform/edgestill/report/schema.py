"""What a report is: plain values under known keys."""

import math
from collections.abc import Mapping
from typing import Any

SCHEMA = "edgestill.report/1"
"""The layout of ``report.json`` that this version writes and reads."""

Report = Mapping[str, Any]
"""Plain values only: what strict JSON can carry. Every figure has its unit in its key."""

_REQUIRED = ("schema", "name", "seed", "rounds", "final")


def check(report: Report) -> None:
    """Refuse what is not a report.

    Raises:
        ValueError: naming the path of the first wrong key.
    """
    _check_plain(report, "")
    if not isinstance(report, Mapping):
        raise ValueError(f"a report is an object, got {type(report).__name__}")
    missing = [key for key in _REQUIRED if key not in report]
    if missing:
        raise ValueError(f"{missing[0]}: a report needs this key")
    if report["schema"] != SCHEMA:
        raise ValueError(f"schema: {report['schema']!r} is not {SCHEMA!r}")


def _check_plain(value: object, path: str) -> None:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise ValueError(f"{path or 'report'}: key {key!r} is not a string")
            _check_plain(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _check_plain(item, f"{path}[{index}]")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{path}: {value} is not a figure; use null for what is not known")
    elif not (value is None or isinstance(value, str | int)):
        raise ValueError(f"{path}: {type(value).__name__} is not a plain value")
