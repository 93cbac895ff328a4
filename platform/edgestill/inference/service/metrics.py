"""What a replica exports to Prometheus about its requests, as declared in the telemetry."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from edgestill.telemetry import DECLARED, Metric


class ServingMetrics:
    """Counters and histograms of one replica, in a registry of its own.

    The offload rate of those who ask is answers over inputs: requests of status 200 over
    ``edgestill_serving_inputs_total`` (rule ``run:edgestill_serving_offload:ratio5m``).

    Args:
        under_way: gives how many requests wait or are computed.
    """

    def __init__(self, under_way: Callable[[], float]) -> None:
        self.registry = CollectorRegistry()
        self.requests = self._counter("requests_total")
        self.inputs = self._counter("inputs_total")
        self.errors = self._counter("errors_total")
        self.forwarded = self._counter("forwarded_total")
        self.received_bytes = self._counter("received_bytes_total")
        self.seconds = self._histogram("request_seconds")
        self.batch_size = self._histogram("batch_requests")
        queue = _declared("queue_requests")
        gauge = Gauge(queue.name, queue.help, registry=self.registry)
        gauge.set_function(under_way)

    def _counter(self, name: str) -> Counter:
        metric = _declared(name)
        return Counter(metric.name, metric.help, metric.labels, registry=self.registry)

    def _histogram(self, name: str) -> Histogram:
        metric = _declared(name)
        return Histogram(metric.name, metric.help, buckets=metric.buckets, registry=self.registry)


def _declared(name: str) -> Metric:
    return DECLARED[f"edgestill_serving_{name}"]
