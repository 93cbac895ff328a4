"""The one actor that exports all metrics over HTTP; training never waits for it."""

import os
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import ray

from edgestill.actors.nodes import ClusterLoad, NodeWatch, by_label
from edgestill.config import TelemetryConfig
from edgestill.telemetry import Contents, Exporter, MetricStore

REPORT_EVERY_S = 0.5

Place = tuple[str, int]
"""Node id and process id of an actor."""


class Telemetry:
    """Serves the newest values that it was given, beside those that it finds out by itself.

    The nodes' and the queues' figures come here past the coordinator, so they stay fresh while a
    round goes on.
    """

    def __init__(self, config: TelemetryConfig) -> None:
        self._store = MetricStore(max_device_series=config.max_device_series)
        self._live = MetricStore()
        self._nodes: NodeWatch | None = None
        self._exporter = Exporter(self._everything, host=config.host, port=config.port)

    def start(self) -> int:
        """Start the exporter and the watch over the nodes and return the port; once is enough."""
        port = self._exporter.start()
        if self._nodes is None:
            self._nodes = NodeWatch(self._live)
            self._nodes.start()
        return port

    def update(self, contents: Contents, keep_devices: bool = False) -> None:
        """Take the newest values of the coordinator's store, or all but the per-device series."""
        self.start()
        self._store.show(contents, keep_devices=keep_devices)

    def queues(self, queues: Mapping[int, int], own: Mapping[str, list[int]]) -> None:
        """Take how many devices wait for or run in each cohort, and which processes are ours."""
        self.start()
        self._live.set_all("edgestill_cohort_queue", by_label(queues))
        if self._nodes is not None:
            self._nodes.own(own)

    def load(self) -> ClusterLoad | None:
        """Return the cluster's load; None before the first sample."""
        return None if self._nodes is None else self._nodes.load()

    def _everything(self) -> Contents:
        # The run's own values win: counters without labels begin at 0 in both.
        return self._live.snapshot().joined(self._store.snapshot())


class ClusterWatch:
    """The pool's line to the telemetry actor, on which nobody ever waits."""

    def __init__(self, telemetry: Any) -> None:
        self._telemetry = telemetry
        self._here = ray.get_runtime_context().get_node_id()
        self._asked: Any = None
        self._load: ClusterLoad | None = None
        self._next_report_s = 0.0

    def load(self) -> ClusterLoad | None:
        """Return the newest answer that has come, and ask again."""
        if self._asked is not None and ray.wait([self._asked], timeout=0)[0]:
            self._load, self._asked = ray.get(self._asked), None
        if self._asked is None:
            self._asked = self._telemetry.load.remote()
        return self._load

    def report(self, queues: Mapping[int, int], places: Callable[[], Iterable[Place]]) -> None:
        """Send the queues, at most every ``REPORT_EVERY_S`` while there are any."""
        now_s = time.monotonic()
        if any(queues.values()) and now_s < self._next_report_s:
            return
        self._next_report_s = now_s + REPORT_EVERY_S
        own: dict[str, list[int]] = {self._here: [os.getpid()]}
        for node, process in places():
            own.setdefault(node, []).append(process)
        self._telemetry.queues.remote(dict(queues), own)
