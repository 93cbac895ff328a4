"""What a replica exports to Prometheus about its requests."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_SIZES = (1, 2, 4, 8, 16, 32, 64)
_PREFIX = "edgestill_serving"


class ServingMetrics:
    """Counters and histograms of one replica, in a registry of its own."""

    def __init__(self, waiting: Callable[[], float]) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            f"{_PREFIX}_requests_total",
            "Requests, by HTTP status.",
            ["status"],
            registry=self.registry,
        )
        self.errors = Counter(
            f"{_PREFIX}_errors_total",
            "Requests refused, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self.received_bytes = Counter(
            f"{_PREFIX}_received_bytes_total", "Bytes of frames received.", registry=self.registry
        )
        self.seconds = Histogram(
            f"{_PREFIX}_request_seconds",
            "Time from a request's head to its answer, in seconds.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.batch_size = Histogram(
            f"{_PREFIX}_batch_size",
            "Requests answered in one call of the model.",
            buckets=_SIZES,
            registry=self.registry,
        )
        queue = Gauge(f"{_PREFIX}_waiting_requests", "Requests that wait.", registry=self.registry)
        queue.set_function(waiting)
