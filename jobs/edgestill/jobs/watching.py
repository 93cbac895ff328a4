"""What a person and a metrics server see of a run while it goes on."""

from collections.abc import Mapping
from typing import Any

from edgestill.report import Advance
from edgestill.telemetry import MetricStore


class Watcher:
    """Moves the progress bar and sends the newest metrics to the exporter after each round."""

    def __init__(self, advance: Advance, store: MetricStore, telemetry: Any) -> None:
        self._advance = advance
        self._store = store
        self._telemetry = telemetry

    def round_started(self, round_number: int, participants: int) -> None:
        """Send the metrics, which now hold the round's decision; nobody waits for it."""
        del round_number, participants
        self._telemetry.update.remote(self._store.state())

    def round_ended(self, row: Mapping[str, Any]) -> None:
        """Show the round's accuracy."""
        self._advance(f"accuracy {row['accuracy']:.1%}")
        self._telemetry.update.remote(self._store.state())
