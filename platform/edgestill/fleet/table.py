"""CSV traces: two columns, time_s and value, in a file that is parsed once."""

import csv
import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from edgestill.errors import DataError

_HEADER = ["time_s", "value"]

Columns = tuple[tuple[float, ...], tuple[float, ...]]


def read_table(path: Path) -> Columns:
    """Return the times, strictly increasing, and the values of a CSV trace.

    The first line is the header ``time_s,value``; empty lines are skipped. A file is parsed again
    only when its size or its time of change differ.

    Raises:
        DataError: naming the file and the line.
    """
    try:
        status = path.stat()
        return _read(path, status.st_mtime_ns, status.st_size)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error


@lru_cache(maxsize=64)
def _read(path: Path, changed_ns: int, size_bytes: int) -> Columns:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        try:
            return _parse(path, ((reader.line_num, row) for row in reader if row))
        except csv.Error as error:
            raise DataError(f"{path}:{reader.line_num}: not valid CSV: {error}") from error


def _parse(path: Path, rows: Iterable[tuple[int, Sequence[str]]]) -> Columns:
    times_s: list[float] = []
    values: list[float] = []
    for number, (line, row) in enumerate(rows):
        where = f"{path}:{line}"
        if number == 0:
            _check_header(where, row)
            continue
        time_s, value = _numbers(where, row)
        if times_s and time_s <= times_s[-1]:
            raise DataError(f"{where}: time_s {time_s} must be above {times_s[-1]}, the one before")
        times_s.append(time_s)
        values.append(value)
    if not times_s:
        raise DataError(f"{path}: holds no values; expected the header time_s,value and rows")
    return tuple(times_s), tuple(values)


def _check_header(where: str, row: Sequence[str]) -> None:
    if [name.strip() for name in row] != _HEADER:
        raise DataError(f"{where}: expected the header time_s,value, got {','.join(row)!r}")


def _numbers(where: str, row: Sequence[str]) -> tuple[float, float]:
    problem = f"{where}: expected two finite numbers, time_s,value, got {','.join(row)!r}"
    try:
        time_s, value = (float(field) for field in row)
    except ValueError as error:
        raise DataError(problem) from error
    if not (math.isfinite(time_s) and math.isfinite(value)):
        raise DataError(problem)
    return time_s, value
