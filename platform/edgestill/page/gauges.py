"""From the values of all metrics to the few that the page shows."""

from collections.abc import Callable
from typing import TypeVar

from edgestill.page.events import Gauges, Vitals
from edgestill.telemetry import Contents

Number = TypeVar("Number", int, float)

_VITALS = {
    "cpu_ratio": "edgestill_group_cpu_ratio",
    "free_memory_bytes": "edgestill_group_free_memory_bytes",
    "battery_ratio": "edgestill_group_battery_ratio",
    "temperature_c": "edgestill_group_temperature_celsius",
}


def read_gauges(contents: Contents) -> Gauges:
    """Return what the page shows of the values of all metrics."""
    series = contents.numbers

    def by_first(name: str, kind: Callable[[float], Number]) -> dict[str, Number]:
        return {labels[0]: kind(value) for labels, value in series.get(name, {}).items()}

    def chosen(name: str) -> dict[str, str]:
        """Return by group the label whose series is 1."""
        return {group: label for (group, label), on in series.get(name, {}).items() if on}

    groups = by_first("edgestill_group_devices", int)
    columns = {field: by_first(name, float) for field, name in _VITALS.items()}
    return Gauges(
        devices=groups,
        vitals={
            group: Vitals(**{field: column.get(group) for field, column in columns.items()})
            for group in groups
        },
        levels=chosen("edgestill_group_level"),
        states=chosen("edgestill_group_decision"),
        actors=by_first("edgestill_actors", int),
        restarts=by_first("edgestill_actor_restarts_total", int),
        devices_lost=int(series.get("edgestill_devices_lost_total", {}).get((), 0)),
        epsilon=by_first("edgestill_privacy_epsilon", float),
        teacher_accuracy=series.get("edgestill_accuracy_ratio", {}).get(("teacher", "test")),
    )
