"""The one actor that exports all metrics over HTTP; training never waits for it."""

from typing import Any

from edgestill.config import TelemetryConfig
from edgestill.telemetry import Exporter, MetricStore


class Telemetry:
    """Serves the newest state that it was given."""

    def __init__(self, config: TelemetryConfig) -> None:
        self._store = MetricStore(max_device_series=config.max_device_series)
        self._exporter = Exporter(self._store, host=config.host, port=config.port)

    def start(self) -> int:
        """Start the exporter and return its port; once is enough."""
        return self._exporter.start()

    def update(self, state: dict[str, Any]) -> None:
        """Take the newest state of the coordinator's store."""
        self.start()
        self._store.restore(state)
