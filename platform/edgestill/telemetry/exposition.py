"""Prometheus' text formats of what a store holds.

``prometheus_client`` renders all families but those with a series per device: it spends 15 us on
a sample, and these may have thousands. Their lines are written here, and kept until their values
change, so that frequent scrapes cost a training machine next to nothing.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from edgestill.telemetry.declared import METRICS, Metric
from edgestill.telemetry.families import Contents, DeviceSeries, family_of

_END = b"# EOF\n"
"""What closes an OpenMetrics exposition, and is in no other."""

_NOT_FINITE = {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}

_SUFFIXES = ("_bucket", "_count", "_sum")

Encoder = Callable[[Collector], bytes]


@dataclass(slots=True)
class Renderer:
    """Renders contents; remembers the lines of per-device families from one scrape to the next."""

    _kept: dict[str, tuple[DeviceSeries, bytes]] = field(default_factory=dict)

    def render(
        self, contents: Contents, *, accept: str = "", names: Collection[str] = ()
    ) -> tuple[str, bytes]:
        """Return the content type and the text.

        Args:
            contents: of a store.
            accept: the scraper's ``Accept``; OpenMetrics where it asks for that.
            names: of the samples that are wanted; all if empty.
        """
        encoder, content_type = choose_encoder(accept)
        wanted = {_family_name(name) for name in names}
        chosen = [metric for metric in METRICS if not wanted or metric.name in wanted]
        parts = [self._family(metric, contents, encoder) for metric in chosen]
        end = _END if content_type.startswith("application/openmetrics-text") else b""
        return str(content_type), b"".join(parts) + end

    def _family(self, metric: Metric, contents: Contents, encoder: Encoder) -> bytes:
        series = contents.devices.get(metric.name)
        if series is None:
            return encoder(_One(family_of(metric, contents))).removesuffix(_END)
        kept = self._kept.get(metric.name)
        # The arrays of a series are never written to again, so the same object has the same lines.
        if kept is None or kept[0] is not series:
            kept = self._kept[metric.name] = (series, _device_lines(metric, series))
        return kept[1]


class _One(Collector):
    """A collector of one family."""

    def __init__(self, family: Family) -> None:
        self._family = family

    def collect(self) -> Iterable[Family]:
        return [self._family]


def _family_name(sample: str) -> str:
    for suffix in _SUFFIXES:
        sample = sample.removesuffix(suffix)
    return sample


def _device_lines(metric: Metric, series: DeviceSeries) -> bytes:
    ids, values = series
    start = f'{metric.name}{{device="'
    texts = map(repr, values.tolist())
    lines = [
        f'{start}{device}"}} {_NOT_FINITE.get(text, text)}\n'
        for device, text in zip(ids.tolist(), texts, strict=True)
    ]
    head = f"# HELP {metric.name} {metric.help}\n# TYPE {metric.name} {metric.kind}\n"
    return (head + "".join(lines)).encode()
