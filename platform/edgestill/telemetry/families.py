"""From stored values to the families that ``prometheus_client`` renders."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.metrics_core import Metric as Family

from edgestill.telemetry.declared import METRICS, Metric

LabelValues = tuple[str, ...]
DeviceSeries = tuple[NDArray[np.int64], NDArray[np.float64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Observations of one series: a count per bucket (the last is ``+Inf``) and their sum."""

    counts: tuple[int, ...]
    total: float

    def plus(self, value: float, buckets: tuple[float, ...]) -> "Histogram":
        """Return the histogram with one more observation."""
        counts = list(self.counts)
        counts[int(np.searchsorted(buckets, value))] += 1
        return replace(self, counts=tuple(counts), total=self.total + value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a store holds; the leaves are immutable, so a shallow copy is a snapshot."""

    numbers: dict[str, dict[LabelValues, float]] = field(default_factory=dict)
    histograms: dict[str, dict[LabelValues, Histogram]] = field(default_factory=dict)
    devices: dict[str, DeviceSeries] = field(default_factory=dict)

    def copy(self) -> "Contents":
        """Return a snapshot that later writes to this one do not touch."""
        return Contents(
            numbers={name: dict(series) for name, series in self.numbers.items()},
            histograms={name: dict(series) for name, series in self.histograms.items()},
            devices=dict(self.devices),
        )

    def joined(self, other: "Contents") -> "Contents":
        """Return both; what the other has of a metric stands in place of one's own."""
        return Contents(
            numbers={**self.numbers, **other.numbers},
            histograms={**self.histograms, **other.histograms},
            devices={**self.devices, **other.devices},
        )


def families(contents: Contents) -> list[Family]:
    """Return one family per declared metric, those without values empty."""
    return [family_of(metric, contents) for metric in METRICS]


def family_of(metric: Metric, contents: Contents) -> Family:
    """Return one metric's family, empty where there are no values."""
    if metric.kind == "histogram":
        return _histogram(metric, contents.histograms.get(metric.name, {}))
    if metric.per_device:
        return _device_gauge(metric, contents.devices.get(metric.name))
    make = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = make(metric.name, metric.help, labels=metric.labels)
    for labels, value in contents.numbers.get(metric.name, {}).items():
        family.add_metric(labels, value)
    return family


def _device_gauge(metric: Metric, series: DeviceSeries | None) -> Family:
    family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
    if series is not None:
        ids, values = series
        for device, value in zip(ids.tolist(), values.tolist(), strict=True):
            family.add_metric((str(device),), value)
    return family


def _histogram(metric: Metric, series: Mapping[LabelValues, Histogram]) -> Family:
    family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
    bounds = [*(str(float(bound)) for bound in metric.buckets), "+Inf"]
    for labels, histogram in series.items():
        cumulative = [float(count) for count in accumulate(histogram.counts)]
        family.add_metric(labels, list(zip(bounds, cumulative, strict=True)), histogram.total)
    return family
