"""The values of all metrics in one process, written by one thread and scraped by another."""

import math
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgestill.config import TelemetryConfig
from edgestill.telemetry.declared import DECLARED, METRICS, Kind, Metric
from edgestill.telemetry.exposition import Renderer
from edgestill.telemetry.families import Contents, Histogram, LabelValues


class MetricStore:
    """Current values of the declared metrics; thread safe.

    Every write takes a short lock; a scrape copies the tables of values under that lock and
    renders outside it, so a slow scraper never holds up the writer. Counters without labels start
    at 0, so that "nothing was lost" is visible; every other series appears with its first value.

    A name that is not declared, a verb that does not fit its kind, or labels other than the
    declared ones are the programmer's mistakes and raise ``ValueError``.
    """

    def __init__(self, *, max_device_series: int | None = None) -> None:
        """Make an empty store.

        Args:
            max_device_series: cap of series per per-device metric; the configuration's default
                if None.
        """
        default = TelemetryConfig().max_device_series
        self._max_device_series = default if max_device_series is None else max_device_series
        self._lock = threading.Lock()
        self._contents = _fresh()

    def set(self, name: str, value: float, **labels: str | int) -> None:
        """Set a gauge; NaN (unknown) and infinity (unbounded) are allowed."""
        metric = _declared(name, "gauge")
        if metric.per_device:
            raise ValueError(f"{name}: per-device series are set by set_devices")
        key = _key(metric, labels)
        with self._lock:
            self._contents.numbers.setdefault(name, {})[key] = float(value)

    def inc(self, name: str, amount: float = 1.0, **labels: str | int) -> None:
        """Add a finite amount >= 0 to a counter; 0 makes the series visible."""
        key = _key(_declared(name, "counter"), labels)
        if not (math.isfinite(amount) and amount >= 0):
            raise ValueError(f"{name}: a counter grows by a finite amount >= 0, got {amount}")
        with self._lock:
            series = self._contents.numbers.setdefault(name, {})
            series[key] = series.get(key, 0.0) + float(amount)

    def observe(self, name: str, value: float, **labels: str | int) -> None:
        """Add one finite observation to a histogram."""
        metric = _declared(name, "histogram")
        key = _key(metric, labels)
        if not math.isfinite(value):
            raise ValueError(f"{name}: an observation must be finite, got {value}")
        empty = Histogram(counts=(0,) * (len(metric.buckets) + 1), total=0.0)
        with self._lock:
            series = self._contents.histograms.setdefault(name, {})
            series[key] = series.get(key, empty).plus(float(value), metric.buckets)

    def set_devices(
        self, name: str, ids: NDArray[np.integer[Any]], values: NDArray[np.floating[Any]]
    ) -> None:
        """Replace all series of a per-device gauge; a device not named any more has none.

        Where there are more devices than ``max_device_series``, those with the lowest ids are
        kept, so the same devices are exported at every scrape; the others have no series.

        Args:
            name: a declared gauge with the one label ``device``.
            ids: device ids [N], distinct integers.
            values: one value per device [N].
        """
        metric = _declared(name, "gauge")
        if not metric.per_device:
            raise ValueError(f"{name}: set_devices needs the one label device")
        order = _lowest(name, ids, values, self._max_device_series)
        kept_ids, kept_values = _frozen(ids[order], np.int64), _frozen(values[order], np.float64)
        with self._lock:
            self._contents.devices[name] = (kept_ids, kept_values)

    def value(self, name: str, **labels: str | int) -> float | None:
        """Return the value of one counter or gauge series, or None if it has none yet."""
        metric = _declared(name, "counter", "gauge")
        key = _key(metric, labels)
        with self._lock:
            if not metric.per_device:
                return self._contents.numbers.get(name, {}).get(key)
            series = self._contents.devices.get(name)
        if series is None:
            return None
        found = np.flatnonzero(series[0] == int(key[0]))
        return float(series[1][found[0]]) if found.size else None

    def set_all(self, name: str, series: Mapping[LabelValues, float]) -> None:
        """Replace all series of a gauge, by label values in their order; those not named end."""
        metric = _declared(name, "gauge")
        if metric.per_device or any(len(key) != len(metric.labels) for key in series):
            raise ValueError(f"{name}: labels must be {', '.join(metric.labels)}")
        with self._lock:
            self._contents.numbers[name] = {key: float(value) for key, value in series.items()}

    def snapshot(self) -> Contents:
        """Return the present contents; no later write touches them."""
        with self._lock:
            return self._contents.copy()

    def show(self, contents: Contents, *, keep_devices: bool = False) -> None:
        """Replace the contents by a snapshot of another store, or all but the per-device series."""
        with self._lock:
            devices = self._contents.devices if keep_devices else contents.devices
            self._contents = replace(contents.copy(), devices=dict(devices))

    def exposition(self) -> bytes:
        """Return all values in Prometheus' text format, as a scrape would give them."""
        return Renderer().render(self.snapshot())[1]

    def state(self) -> dict[str, Any]:
        """Return what must outlive this process as plain values that strict JSON can carry.

        The per-device gauges are left out: there may be thousands, and each round sets them anew.
        """
        return _to_plain(self.snapshot())

    def restore(self, state: Mapping[str, Any]) -> None:
        """Replace the contents by those of :meth:`state`; there are no per-device series then.

        Raises:
            ValueError: if the state names a metric or labels that are not declared; the contents
                are then as before.
        """
        contents = _from_plain(state)
        with self._lock:
            self._contents = contents


def _fresh() -> Contents:
    started = [metric for metric in METRICS if metric.kind == "counter" and not metric.labels]
    return Contents(numbers={metric.name: {(): 0.0} for metric in started})


def _declared(name: str, *kinds: Kind) -> Metric:
    metric = DECLARED.get(name)
    if metric is None:
        raise ValueError(f"{name}: no such metric is declared")
    if metric.kind not in kinds:
        raise ValueError(f"{name}: it is a {metric.kind}, not a {' or '.join(kinds)}")
    return metric


def _key(metric: Metric, labels: Mapping[str, str | int]) -> LabelValues:
    if labels.keys() != set(metric.labels):
        wanted, given = ", ".join(metric.labels) or "none", ", ".join(labels) or "none"
        raise ValueError(f"{metric.name}: labels must be {wanted}; got {given}")
    return tuple(str(labels[label]) for label in metric.labels)


def _lowest(
    name: str, ids: NDArray[np.integer[Any]], values: NDArray[np.floating[Any]], cap: int
) -> NDArray[np.intp]:
    if ids.ndim != 1 or ids.shape != values.shape or ids.dtype.kind not in "iu":
        raise ValueError(f"{name}: ids [N] integer and values [N] expected, got {ids.shape}")
    if np.unique(ids).size != ids.size:
        raise ValueError(f"{name}: device ids must be distinct")
    return np.argsort(ids)[:cap]


def _frozen(array: ArrayLike, dtype: type[np.generic]) -> NDArray[Any]:
    copy = np.array(array, dtype=dtype)
    copy.flags.writeable = False
    return copy


def _plain(value: float) -> float | str:
    # JSON has no NaN and no infinity; float() reads these words back.
    return value if math.isfinite(value) else repr(value)


def _to_plain(contents: Contents) -> dict[str, Any]:
    return {
        "numbers": [
            [name, list(labels), _plain(value)]
            for name, series in contents.numbers.items()
            for labels, value in series.items()
        ],
        "histograms": [
            [name, list(labels), list(histogram.counts), histogram.total]
            for name, series in contents.histograms.items()
            for labels, histogram in series.items()
        ],
    }


def _from_plain(state: Mapping[str, Any]) -> Contents:
    contents = _fresh()
    for name, labels, value in state["numbers"]:
        key = _restored_key(_declared(name, "counter", "gauge"), labels)
        contents.numbers.setdefault(name, {})[key] = float(value)
    for name, labels, counts, total in state["histograms"]:
        metric = _declared(name, "histogram")
        if len(counts) != len(metric.buckets) + 1:
            raise ValueError(f"{name}: {len(counts)} buckets in the state do not fit")
        histogram = Histogram(counts=tuple(int(count) for count in counts), total=float(total))
        contents.histograms.setdefault(name, {})[_restored_key(metric, labels)] = histogram
    return contents


def _restored_key(metric: Metric, labels: list[str]) -> LabelValues:
    if len(labels) != len(metric.labels):
        raise ValueError(f"{metric.name}: {len(labels)} labels in the state do not fit")
    return tuple(labels)
