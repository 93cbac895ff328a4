"""Every metric of edgestill, declared once.

Names follow Prometheus' conventions: prefix ``edgestill_``, base units (seconds, bytes, joules,
ratios in 0..1), ``_total`` on counters and on nothing else. Labels are of bounded cardinality; the
one exception, ``device``, is capped by ``telemetry.max_device_series`` when it is exported.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

_NAME = re.compile(r"edgestill_[a-z][a-z0-9_]*[a-z0-9]")

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric family.

    Attributes:
        name: the exact name in the exposition.
        kind: counter (only grows), gauge (any value) or histogram (observations in buckets).
        help: one sentence, with the unit.
        labels: label names, in the order of declaration.
        buckets: upper bounds of a histogram's buckets, ascending, without ``+Inf``.

    Raises:
        ValueError: if the declaration breaks the conventions of this module.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a declaration that Prometheus would accept and a reader would regret."""
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name}: a name is edgestill_ and lower-case words")
        if (self.kind == "counter") != self.name.endswith("_total"):
            raise ValueError(f"{self.name}: counters, and only they, end in _total")
        if (self.kind == "histogram") != bool(self.buckets):
            raise ValueError(f"{self.name}: histograms, and only they, have buckets")
        if list(self.buckets) != sorted(set(self.buckets)):
            raise ValueError(f"{self.name}: buckets must ascend, got {self.buckets}")

    @property
    def per_device(self) -> bool:
        """Whether this family has one series per device, and so is capped."""
        return self.labels == ("device",)


def _counter(name: str, help: str, *labels: str) -> Metric:  # noqa: A002 - Prometheus' own word
    return Metric(name=f"edgestill_{name}", kind="counter", help=help, labels=labels)


def _gauge(name: str, help: str, *labels: str) -> Metric:  # noqa: A002 - Prometheus' own word
    return Metric(name=f"edgestill_{name}", kind="gauge", help=help, labels=labels)


_LEARNING = (
    _gauge("round", "Number of the last finished round."),
    _counter("rounds_total", "Rounds finished."),
    _gauge("round_virtual_seconds", "Virtual time that the last round took, in seconds."),
    Metric(
        name="edgestill_round_wall_seconds",
        kind="histogram",
        help="Wall time of a round, in seconds.",
        buckets=(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0),
    ),
    _counter("arrivals_total", "Devices that came back, by the rounds' mode.", "mode"),
    _gauge("devices_under_way", "Devices that train on beyond the last server step."),
    _gauge("buffer_updates", "Updates in the buffer of the last server step."),
    _gauge("update_staleness_rounds", "Staleness of its updates: mean and max.", "statistic"),
    _gauge("accuracy_ratio", "Accuracy of a model on a split, 0 to 1.", "model", "split"),
    _gauge("loss", "Mean loss of the last round, by term, before its coefficient.", "term"),
    _gauge("loss_coefficient", "Coefficient of a loss term in the last round.", "term", "group"),
    _counter("knowledge_samples_total", "Public samples sent to devices.", "policy"),
    _counter("checkpoints_total", "Checkpoints written."),
    _gauge("round_started_timestamp_seconds", "Unix time at which the present round started."),
)

_SPENDING = (
    _counter("uplink_bytes_total", "Bytes sent by devices, framing included.", "group", "kind"),
    _counter("downlink_bytes_total", "Bytes sent to devices, framing included.", "group", "kind"),
    _counter("energy_joules_total", "Energy spent by devices, in joules.", "group"),
    _counter("compute_flops_total", "Floating-point operations done by devices.", "group"),
    _gauge("privacy_epsilon", "Privacy spent so far (epsilon); +Inf is unbounded.", "what"),
    _gauge("privacy_budget_epsilon", "Privacy that may be spent (epsilon); absent without one."),
)

_GROUPS = (
    _gauge("group_devices", "Devices of a group, by profile.", "group", "profile"),
    _gauge("group_cpu_ratio", "Mean CPU load of a group by other work, 0 to 1.", "group"),
    _gauge("group_free_memory_bytes", "Mean free memory of a group's devices.", "group"),
    _gauge("group_battery_ratio", "Mean charge of a group's batteries, 0 to 1.", "group"),
    _gauge("group_temperature_celsius", "Mean temperature of a group's devices.", "group"),
    _gauge("group_level", "1 for the level that a group is at, else 0.", "group", "level"),
    _counter("allocation_changes_total", "Changes of a group to a level.", "group", "level"),
)

_SIGNALS = (
    _gauge("vitals_virtual_seconds", "Virtual time of the groups' exported vitals."),
    _gauge("signal_age_seconds", "Age of a group's signals at the last decision.", "group"),
    _counter("signal_faults_total", "Signals not used: missing, stale, absurd.", "signal", "fault"),
    _counter("signal_source_errors_total", "Failed questions to the signal source.", "reason"),
    _gauge("group_decision", "1 for how a group was decided: fresh, held, safe.", "group", "state"),
)

_DEVICES = (
    _counter("devices_selected_total", "Devices asked to train.", "group"),
    _counter("devices_completed_total", "Devices whose update was used.", "group"),
    _counter("devices_late_total", "Devices whose update missed the deadline.", "group"),
    _counter("devices_failed_total", "Devices that failed, by reason.", "reason"),
    _counter("devices_lost_total", "Devices whose work was lost with an actor and not redone."),
    _gauge("device_battery_ratio", "Charge of a device's battery, 0 to 1.", "device"),
    _gauge("device_temperature_celsius", "Temperature of a device.", "device"),
    _gauge("device_cpu_ratio", "CPU load of a device by other work, 0 to 1.", "device"),
    _gauge("device_free_memory_bytes", "Free memory of a device.", "device"),
)

_ENGINE = (
    _gauge("actors", "Actors alive, by tier.", "tier"),
    _counter("actor_restarts_total", "Actors that died and were replaced, by tier.", "tier"),
    _counter("device_states_lost_total", "States of devices that were lost with a node."),
    _gauge("cohorts_idle_ratio", "Share of a round in which cohorts waited for the last, 0 to 1."),
    _counter("pool_changes_total", "Actors added to or removed from the pool.", "tier", "action"),
    _gauge("cohort_queue", "Devices that wait for or run in a cohort actor.", "cohort"),
    _gauge("node_cpu_ratio", "CPU load of a node of the cluster, 0 to 1.", "node"),
    _gauge("node_memory_bytes", "Memory of a node of the cluster.", "node"),
    _gauge("node_free_memory_bytes", "Memory at hand on a node of the cluster.", "node"),
    _gauge("node_object_store_bytes", "Capacity of a node's object store.", "node"),
    _gauge("node_object_store_used_bytes", "Bytes held in a node's object store.", "node"),
)

METRICS: tuple[Metric, ...] = _LEARNING + _SPENDING + _GROUPS + _SIGNALS + _DEVICES + _ENGINE
"""All metrics of a run, in the order of the exposition."""

SERVING: tuple[Metric, ...] = (
    _counter("serving_requests_total", "Requests, by HTTP status.", "status"),
    _counter("serving_inputs_total", "Inputs that those who ask have looked at."),
    _counter("serving_errors_total", "Requests refused, by reason.", "reason"),
    _counter("serving_forwarded_total", "Answers of a fog, by what the cloud said.", "outcome"),
    _counter("serving_received_bytes_total", "Bytes of frames received."),
    Metric(
        name="edgestill_serving_request_seconds",
        kind="histogram",
        help="Time from a request's head to its answer, in seconds.",
        buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
    ),
    Metric(
        name="edgestill_serving_batch_requests",
        kind="histogram",
        help="Requests answered in one call of the model.",
        buckets=(1, 2, 4, 8, 16, 32, 64),
    ),
    _gauge("serving_queue_requests", "Requests that wait or are computed."),
)
"""All metrics of a replica of the inference service, which exports them itself."""

DECLARED: Mapping[str, Metric] = MappingProxyType(
    {metric.name: metric for metric in (*METRICS, *SERVING)}
)
"""All metrics by name."""
