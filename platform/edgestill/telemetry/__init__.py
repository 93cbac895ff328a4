"""Every metric declared once, kept in a store, exported to Prometheus; and the log lines."""

from edgestill.telemetry.declared import DECLARED, METRICS, SERVING, Metric
from edgestill.telemetry.exporter import Exporter
from edgestill.telemetry.families import Contents
from edgestill.telemetry.logs import configure_logging, current_fields, log_fields
from edgestill.telemetry.promql import PromqlServer, PromqlSession
from edgestill.telemetry.promql_answer import Sample
from edgestill.telemetry.store import MetricStore

__all__ = [
    "DECLARED",
    "METRICS",
    "SERVING",
    "Contents",
    "Exporter",
    "Metric",
    "MetricStore",
    "PromqlServer",
    "PromqlSession",
    "Sample",
    "configure_logging",
    "current_fields",
    "log_fields",
]
