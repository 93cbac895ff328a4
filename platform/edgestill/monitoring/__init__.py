"""Prometheus and Grafana as code: dashboards, rules, target files, and a local server."""

from edgestill.monitoring.files import dashboards, first_outdated, generated, write
from edgestill.monitoring.server import serving
from edgestill.monitoring.targets import (
    address_of,
    announce,
    announced,
    state_folder,
    targets_folder,
)

__all__ = [
    "address_of",
    "announce",
    "announced",
    "dashboards",
    "first_outdated",
    "generated",
    "serving",
    "state_folder",
    "targets_folder",
    "write",
]
