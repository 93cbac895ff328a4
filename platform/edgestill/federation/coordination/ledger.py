"""The books of a round: one row for the report, and the same figures for the metrics."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from edgestill.allocation import Decision, Level
from edgestill.federation.aggregation.collect import Collected
from edgestill.federation.messages import DONE, LATE, UNFIT
from edgestill.federation.roster.members import Devices
from edgestill.federation.roster.participants import Participant
from edgestill.federation.rounds.played import BufferFigures
from edgestill.federation.table import FigureTable, Numbers
from edgestill.fleet import Fleet
from edgestill.telemetry import MetricStore
from edgestill.training import TERMS, Score

WORST = Level.CRITICAL.severity

LOST_REASONS = ("ActorLost", "TimedOut", "NoReply")
"""Failures in which a device's work is gone though the device did nothing wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundBooks:
    """What a round's row is made of.

    Attributes:
        fleet: knows the devices' groups.
        buffer: of a buffered round.
        by_status: how many devices' rounds ended in which way.
        by_group: what the devices of each group reported, in order of name.
    """

    round_number: int
    participants: Sequence[Participant]
    collected: Collected
    decision: Decision
    score: Score
    duration_s: float
    wall_s: float
    time_s: float
    fleet: Fleet
    buffer: BufferFigures | None = None
    by_status: Counter[float] = field(init=False)
    by_group: dict[str, FigureTable] = field(init=False)

    def __post_init__(self) -> None:
        """Count how the devices' rounds ended, and sort what they reported by group."""
        object.__setattr__(self, "by_status", _statuses(self.collected.figures))
        object.__setattr__(self, "by_group", _by_group(self.collected.figures, self.fleet))

    def row(self) -> dict[str, Any]:
        """Return the round's row of ``report.json``."""
        figures = self.collected.figures
        return {
            "round": self.round_number,
            "accuracy": self.score.accuracy,
            "loss": self.score.loss,
            "selected": len(self.participants),
            "completed": self.by_status[DONE],
            "late": self.by_status[LATE],
            "skipped": self.by_status[UNFIT],
            "failed": self.collected.failures.total(),
            "failures": dict(self.collected.failures),
            "time_s": self.time_s,
            "duration_s": self.duration_s,
            "wall_s": self.wall_s,
            "uplink_bytes": {"update": figures.total("uplink-update-bytes")},
            "downlink_bytes": {
                "model": figures.total("downlink-model-bytes"),
                "knowledge": figures.total("downlink-knowledge-bytes"),
            },
            "energy_j": figures.total("energy-j"),
            "flops": figures.total("flops"),
            "levels": {g: str(a.level.value) for g, a in self.decision.allocations.items()},
            "devices_by_level": self._devices_by_level(),
            "by_group": self._spent_by_group(),
            "reasons": dict(self.decision.reasons),
            "changed": list(self.decision.changed),
            "foretold": self._foretold(),
            "decision_states": dict(self.decision.states),
            "signal_faults": {group: dict(f) for group, f in self.decision.faults.items()},
            "loss_terms": {term: figures.mean(f"loss-{term}") for term in TERMS},
            "coefficients": self._coefficients(),
            "mode": self.mode,
            "trainings": self._trainings(),
            **({} if self.buffer is None else {"buffer": asdict(self.buffer)}),
        }

    @property
    def mode(self) -> str:
        """How the round was trained."""
        return "synchronous" if self.buffer is None else "buffered"

    @property
    def devices(self) -> Devices:
        """Whose participation ended in the round, [n]."""
        return np.array([participant.device for participant in self.participants], np.int64)

    def _trainings(self) -> dict[str, int]:
        """Return how many devices were trained in one call with others, and how many alone."""
        together = int(self.collected.figures.total("vectorized"))
        trained = int(self.collected.figures.has("vectorized").sum())
        return {"vectorized": together, "one_by_one": trained - together}

    def _devices_by_level(self) -> dict[str, dict[str, int]]:
        return {
            group: {
                Level.of_severity(severity).value: count
                for severity, count in _counts(rows.column("severity").clip(0, WORST)).items()
            }
            for group, rows in self.by_group.items()
        }

    def _spent_by_group(self) -> dict[str, dict[str, float]]:
        """Return bytes, operations, energy and the slowest device's virtual seconds by group."""
        return {
            group: {
                "devices": len(rows),
                "uplink_bytes": rows.total("uplink-update-bytes"),
                "downlink_bytes": rows.total("downlink-model-bytes")
                + rows.total("downlink-knowledge-bytes"),
                "flops": rows.total("flops"),
                "energy_j": rows.total("energy-j"),
                "duration_s": float(rows.column("total-s").max()),
            }
            for group, rows in self.by_group.items()
        }

    def _foretold(self) -> dict[str, dict[str, float]]:
        """Return by group what was foretold of a device and, under ``seen_``, what happened.

        Times of devices that trained; the share in time of all that were asked.
        """
        foretold = {}
        for group, rows in self.by_group.items():
            trained = rows.where(rows.column("status") != UNFIT)
            if group in self.decision.foretold and len(trained):
                count = len(trained)
                foretold[group] = {
                    **self.decision.foretold[group],
                    "seen_duration_s": trained.total("total-s") / count,
                    "seen_energy_j": trained.total("energy-j") / count,
                    "seen_in_time_ratio": _statuses(trained)[DONE] / count,
                }
        return foretold

    def _coefficients(self) -> dict[str, dict[str, float]]:
        return {
            group: {term: rows.total(f"coefficient-{term}") / len(rows) for term in TERMS}
            for group, rows in self.by_group.items()
        }

    def export(self, store: MetricStore, policy: str) -> None:
        """Write the round's figures to the metrics."""
        store.set("edgestill_round", self.round_number)
        store.inc("edgestill_rounds_total")
        store.set("edgestill_round_virtual_seconds", self.duration_s)
        self._export_arrivals(store)
        store.observe("edgestill_round_wall_seconds", self.wall_s)
        store.set("edgestill_accuracy_ratio", self.score.accuracy, model="student", split="test")
        for term in TERMS:
            store.set("edgestill_loss", self.collected.figures.mean(f"loss-{term}"), term=term)
        for group, terms in self._coefficients().items():
            for term, value in terms.items():
                store.set("edgestill_loss_coefficient", value, term=term, group=group)
        samples = self.collected.figures.total("knowledge-samples")
        store.inc("edgestill_knowledge_samples_total", samples, policy=policy)
        self._export_devices(store)

    def _export_arrivals(self, store: MetricStore) -> None:
        store.inc("edgestill_arrivals_total", len(self.participants), mode=self.mode)
        if self.buffer is not None:
            store.set("edgestill_devices_under_way", self.buffer.under_way)
            store.set("edgestill_buffer_updates", self.buffer.updates)
            for statistic in ("mean", "max"):
                value = getattr(self.buffer, f"staleness_{statistic}")
                store.set("edgestill_update_staleness_rounds", value, statistic=statistic)

    def _export_devices(self, store: MetricStore) -> None:
        for group, devices in _devices_by_group(self.devices, self.fleet).items():
            store.inc("edgestill_devices_selected_total", len(devices), group=group)
        for group, rows in self.by_group.items():
            done = _statuses(rows)
            store.inc("edgestill_devices_completed_total", done[DONE], group=group)
            store.inc("edgestill_devices_late_total", done[LATE], group=group)
            for metric, key, kind in _BYTES:
                store.inc(metric, rows.total(key), group=group, kind=kind)
            store.inc("edgestill_energy_joules_total", rows.total("energy-j"), group=group)
            store.inc("edgestill_compute_flops_total", rows.total("flops"), group=group)
        for reason, count in self.collected.failures.items():
            store.inc("edgestill_devices_failed_total", count, reason=reason)
            if reason in LOST_REASONS:
                store.inc("edgestill_devices_lost_total", count)


_BYTES = (
    ("edgestill_uplink_bytes_total", "uplink-update-bytes", "update"),
    ("edgestill_downlink_bytes_total", "downlink-model-bytes", "model"),
    ("edgestill_downlink_bytes_total", "downlink-knowledge-bytes", "knowledge"),
)


def _statuses(rows: FigureTable) -> Counter[float]:
    return Counter(_counts(rows.column("status")))


def _counts(numbers: Numbers) -> dict[int, int]:
    """Return how often each whole number is there."""
    values, counts = np.unique(numbers.astype(np.int64), return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def _by_group(rows: FigureTable, fleet: Fleet) -> dict[str, FigureTable]:
    groups = fleet.group_index[rows.devices]
    numbers = sorted(np.unique(groups).tolist(), key=lambda number: fleet.groups[number].name)
    return {fleet.groups[number].name: rows.where(groups == number) for number in numbers}


def _devices_by_group(devices: Devices, fleet: Fleet) -> dict[str, Devices]:
    groups = fleet.group_index[devices]
    return {fleet.groups[n].name: devices[groups == n] for n in np.unique(groups).tolist()}
