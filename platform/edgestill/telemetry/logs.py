"""Log lines that say which round, which device and which stage they are about.

``2026-11-21T01:17:04.512Z INFO round=3 device=17 stage=train message``; fields that do not apply
are left out. Fields belong to the running context (``contextvars``), so code deep in a stage logs
through the ordinary ``logging.getLogger(__name__)`` and knows nothing of rounds.
"""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TextIO

from edgestill.errors import InputError

_LOGGER = logging.getLogger("edgestill")
_FIELDS: ContextVar[tuple[tuple[str, str], ...]] = ContextVar("edgestill_log_fields", default=())


@contextmanager
def log_fields(
    *, round_number: int | None = None, device: int | None = None, stage: str | None = None
) -> Iterator[None]:
    """Give every line logged inside these fields; inner fields win over outer ones."""
    given = {"round": round_number, "device": device, "stage": stage}
    fields = dict(_FIELDS.get())
    fields.update({name: str(value) for name, value in given.items() if value is not None})
    ordered = tuple((name, fields[name]) for name in given if name in fields)
    token = _FIELDS.set(ordered)
    try:
        yield
    finally:
        _FIELDS.reset(token)


def current_fields() -> dict[str, str]:
    """Return the fields that a line logged here and now would be given."""
    return dict(_FIELDS.get())


def configure_logging(path: Path | None = None, *, quiet: bool = False) -> None:
    """Send edgestill's lines to standard error and, if given, to a file.

    Standard error gets INFO and above, only warnings and errors if ``quiet``; the file gets INFO
    and above always and is appended to, so that a resumed run continues its log. A second call
    replaces what the first one set up.

    Raises:
        InputError: if the file cannot be opened; what was set up before stays.
    """
    handlers: list[logging.Handler] = [_Stderr(logging.WARNING if quiet else logging.INFO)]
    if path is not None:
        handlers.append(_file(path))
    for old in [handler for handler in _LOGGER.handlers if _is_ours(handler)]:
        _LOGGER.removeHandler(old)
        old.close()
    for handler in handlers:
        handler.setFormatter(_Formatter())
        _LOGGER.addHandler(handler)
    _LOGGER.setLevel(logging.INFO)


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to whatever ``sys.stderr`` is now, so that a live progress display can move aside."""

    def __init__(self, level: int) -> None:
        logging.Handler.__init__(self, level)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


class _Formatter(logging.Formatter):
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(fields)s%(message)s")
        self.converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        record.fields = "".join(f"{name}={value} " for name, value in _FIELDS.get())
        return super().format(record)


def _file(path: Path) -> logging.Handler:
    try:
        return logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: the log cannot be written ({error.strerror})") from error


def _is_ours(handler: logging.Handler) -> bool:
    return isinstance(handler.formatter, _Formatter)
