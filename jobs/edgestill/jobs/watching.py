"""What a person and a metrics server see of a run while it goes on."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Any, Protocol

from edgestill.federation import Checkpoint
from edgestill.jobs.run_folder import RunFolder
from edgestill.report import Advance, show_progress
from edgestill.telemetry import Contents, MetricStore


class Audience(Protocol):
    """Whoever is told, beside the terminal, how far a run is; telling must not wait."""

    def stage_advanced(self, stage: str, done: int, total: int | None, detail: str) -> None:
        """A stage has come this far; it is over when ``done == total``."""

    def round_started(self, round_number: int, participants: int, contents: Contents) -> None:
        """A round begins; ``contents`` are the metrics'."""

    def round_ended(self, row: Mapping[str, Any], contents: Contents) -> None:
        """A round is over; ``row`` is its row of the report."""

    def finished(self, accuracy: float, report: str) -> None:
        """The run is done; ``report`` is the path of the page that it leaves."""


def audience_of(
    folder: RunFolder, ui_port: int | None, resume_from: Checkpoint | None
) -> AbstractContextManager[Audience | None]:
    """Return the live page on this port, to be entered; nobody where the port is None."""
    if ui_port is None:
        return nullcontext()
    from edgestill.jobs.live import live_page  # a run without a page imports nothing of it

    return live_page(folder, ui_port, resume_from)


class Stages:
    """Shows each stage of a run on the terminal, and to the audience if there is one."""

    def __init__(self, *, quiet: bool, audience: Audience | None = None) -> None:
        self._quiet = quiet
        self.audience = audience

    @contextmanager
    def show(self, stage: str, *, total: int | None) -> Iterator[Advance]:
        """Show how far a stage has come, and give the function that moves it on.

        Args:
            stage: what it is called.
            total: how many steps it has; None if nobody knows.
        """
        with show_progress(stage, total=total, quiet=self._quiet) as advance:
            if self.audience is None:
                yield advance
                return
            told = _Told(stage, total, advance, self.audience)
            yield told
            told.over()


class _Told:
    """Moves on a stage for the terminal and the audience."""

    def __init__(self, stage: str, total: int | None, advance: Advance, audience: Audience) -> None:
        self._stage, self._total = stage, total
        self._advance, self._audience = advance, audience
        self._done, self._detail = 0, ""
        audience.stage_advanced(stage, 0, total, "")

    def __call__(self, detail: str = "", *, steps: int = 1) -> None:
        self._advance(detail, steps=steps)
        self._done, self._detail = self._done + steps, detail
        self._audience.stage_advanced(self._stage, self._done, self._total, detail)

    def over(self) -> None:
        # A stage may end before its last step: a teacher that learns nothing more stops.
        done = self._done or 1
        self._audience.stage_advanced(self._stage, done, done, self._detail)


class Watcher:
    """Moves the progress bar and sends the newest metrics to the exporter after each round."""

    def __init__(
        self,
        advance: Advance,
        store: MetricStore,
        telemetry: Any,
        audience: Audience | None = None,
    ) -> None:
        self._advance = advance
        self._audience = audience
        self._store = store
        self._telemetry = telemetry
        self._sent: Mapping[str, object] = {}

    def vitals_exported(self) -> None:
        """Send the metrics, so that they are scraped before the round is decided from them."""
        self._export()

    def round_started(self, round_number: int, participants: int) -> None:
        """Send the metrics, which now hold the round's decision; nobody waits for it."""
        contents = self._export()
        if self._audience is not None:
            self._audience.round_started(round_number, participants, contents)

    def round_ended(self, row: Mapping[str, Any]) -> None:
        """Show the round's accuracy."""
        self._advance(f"accuracy {row['accuracy']:.1%}")
        contents = self._export()
        if self._audience is not None:
            self._audience.round_ended(row, contents)

    def _export(self) -> Contents:
        # Arrays travel as they are, and only when they are new: they may be a megabyte.
        contents = self._store.snapshot()
        same = self._sent.keys() == contents.devices.keys() and all(
            self._sent[name] is series for name, series in contents.devices.items()
        )
        self._sent = contents.devices
        new = replace(contents, devices={}) if same else contents
        self._telemetry.update.remote(new, keep_devices=same)
        return contents
