"""Progress of anything that takes more than a second."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.progress import TimeElapsedColumn as Elapsed
from rich.progress import TimeRemainingColumn as Remaining

_LOG = logging.getLogger(__name__)
_LOG_EVERY_S = 10.0


class Advance(Protocol):
    """Says that ``steps`` more are done; ``detail`` stays beside the bar until the next one."""

    def __call__(self, detail: str = "", *, steps: int = 1) -> None:
        """Move on."""


@contextmanager
def show_progress(
    what: str, *, total: int | None, quiet: bool = False, console: Console | None = None
) -> Iterator[Advance]:
    """Show how far ``what`` has come, and give the function that moves it on.

    On a terminal this is a bar on standard error that goes away at the end. When ``quiet``, or
    where standard error is not a terminal, nothing is drawn; a line is logged instead after the
    first step, then every ten seconds at most, and at the end.

    Args:
        what: what is counted, such as ``rounds``.
        total: how many steps there are; None if nobody knows.
        quiet: draw nothing.
        console: rich's console, standard error if None.
    """
    console = Console(stderr=True) if console is None else console
    if quiet or not console.is_terminal:
        with _logged(what, total) as advance:
            yield advance
    else:
        with _drawn(what, total, console) as advance:
            yield advance


@contextmanager
def _drawn(what: str, total: int | None, console: Console) -> Iterator[Advance]:
    columns = (
        *(SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(24)),
        *(MofNCompleteColumn(), Elapsed(), Remaining()),
        TextColumn("{task.fields[detail]}", markup=False),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=total, detail="")

        def advance(detail: str = "", *, steps: int = 1) -> None:
            bar.update(task, advance=steps, detail=detail)

        yield advance


@contextmanager
def _logged(what: str, total: int | None) -> Iterator[Advance]:
    done, logged_s, last = 0, monotonic() - _LOG_EVERY_S, ""
    of = "" if total is None else f"/{total}"

    def log(remark: str) -> None:
        _LOG.info("%s", f"{what} {done}{of} {remark}".rstrip())

    def advance(detail: str = "", *, steps: int = 1) -> None:
        nonlocal done, logged_s, last
        done, last = done + steps, detail
        if monotonic() - logged_s >= _LOG_EVERY_S and done != total:
            logged_s = monotonic()
            log(detail)

    yield advance
    if done:
        log(f"done {last}")
