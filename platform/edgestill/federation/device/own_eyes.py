"""A real device's own readings: in place of a simulated trace, and back to the coordinator.

A node whose ``node_config`` says ``vitals = "host"`` reads the machine that it runs on.
"""

import logging
import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import numpy as np
from flwr.app import Context

from edgestill.errors import ConfigurationError
from edgestill.federation.table import FigureTable
from edgestill.fleet import HostVitals, Vitals

log = logging.getLogger(__name__)

NODE_KEY = "vitals"
HOST = "host"

_KEYS = {
    "cpu_ratio": "vitals-cpu-ratio",
    "free_memory_bytes": "vitals-free-memory-bytes",
    "battery_ratio": "vitals-battery-ratio",
    "temperature_c": "vitals-temperature-c",
}


def own_vitals(context: Context) -> Vitals | None:
    """Return what the node reads of its machine; None for a simulated device.

    Raises:
        ConfigurationError: the node's configuration asks for other eyes than these.
    """
    asked = context.node_config.get(NODE_KEY)
    if asked is None:
        return None
    if asked != HOST:
        raise ConfigurationError(f'node_config: {NODE_KEY} is {asked!r}, expected "{HOST}"')
    return _host().read()


def with_link_of(vitals: Vitals, simulated: Vitals) -> Vitals:
    """Return a machine's readings with the link that it cannot read."""
    return replace(vitals, bandwidth_ratio=simulated.bandwidth_ratio, available=True)


def to_metrics(vitals: Vitals | None) -> dict[str, float]:
    """Return readings as a device reports them; nothing for a simulated device."""
    if vitals is None:
        return {}
    return {key: float(getattr(vitals, name)) for name, key in _KEYS.items()}


def from_metrics(device: int, metrics: Mapping[str, object]) -> Vitals | None:
    """Return what a device reported of itself; None if it did not, or nothing that can be."""
    if not any(key in metrics for key in _KEYS.values()):
        return None
    given = {name: metrics.get(key) for name, key in _KEYS.items()}
    values = {name: value for name, value in given.items() if isinstance(value, float)}
    if len(values) < len(given) or not _possible(**values):
        log.warning("device %d reported vitals that cannot be: %s", device, given)
        return None
    return Vitals(**values, bandwidth_ratio=1.0, available=True)


def with_eyes(figures: FigureTable) -> list[int]:
    """Return the devices that reported readings of their own, ascending."""
    seeing = np.any([figures.has(key) for key in _KEYS.values()], axis=0)
    devices: list[int] = figures.devices[seeing].tolist()
    return devices


def _possible(
    *, cpu_ratio: float, free_memory_bytes: float, battery_ratio: float, temperature_c: float
) -> bool:
    return (
        0.0 <= cpu_ratio <= 1.0
        and 0.0 <= free_memory_bytes < math.inf
        and 0.0 <= battery_ratio <= 1.0
        and not math.isinf(temperature_c)
    )


@cache
def _host() -> HostVitals:
    return HostVitals()
