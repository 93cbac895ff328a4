"""Every metric declared once, kept in a store, exported to Prometheus; and the log lines."""

from edgestill.telemetry.declared import DECLARED, METRICS, Metric
from edgestill.telemetry.exporter import Exporter
from edgestill.telemetry.logs import configure_logging, log_fields
from edgestill.telemetry.store import MetricStore

__all__ = [
    "DECLARED",
    "METRICS",
    "Exporter",
    "Metric",
    "MetricStore",
    "configure_logging",
    "log_fields",
]
