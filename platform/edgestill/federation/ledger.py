"""The books of a round: one row for the report, and the same figures for the metrics."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edgestill.allocation import Decision, Level
from edgestill.federation.collect import Collected, Figures
from edgestill.federation.messages import DONE, LATE, UNFIT
from edgestill.federation.participants import Participant
from edgestill.telemetry import MetricStore
from edgestill.training import TERMS, Score

LOST_REASONS = ("ActorLost", "TimedOut", "NoReply")
"""Failures in which a device's work is gone though the device did nothing wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundBooks:
    """What a round's row is made of."""

    round_number: int
    participants: list[Participant]
    collected: Collected
    decision: Decision
    score: Score
    duration_s: float
    wall_s: float
    time_s: float
    group_of: Mapping[int, str]
    by_status: Counter[float] = field(init=False)

    def __post_init__(self) -> None:
        """Count how the devices' rounds ended."""
        counts = Counter(figures["status"] for figures in self.collected.figures.values())
        object.__setattr__(self, "by_status", counts)

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
            "uplink_bytes": {"update": _sum(figures, "uplink-update-bytes")},
            "downlink_bytes": {
                "model": _sum(figures, "downlink-model-bytes"),
                "knowledge": _sum(figures, "downlink-knowledge-bytes"),
            },
            "energy_j": _sum(figures, "energy-j"),
            "flops": _sum(figures, "flops"),
            "levels": {g: str(a.level.value) for g, a in self.decision.allocations.items()},
            "devices_by_level": self._devices_by_level(),
            "by_group": self._by_group(),
            "reasons": dict(self.decision.reasons),
            "changed": list(self.decision.changed),
            "foretold": self._foretold(),
            "decision_states": dict(self.decision.states),
            "signal_faults": {group: dict(f) for group, f in self.decision.faults.items()},
            "loss_terms": {term: self._mean_term(term) for term in TERMS},
            "coefficients": self._coefficients(),
        }

    def _devices_by_level(self) -> dict[str, dict[str, int]]:
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for device, figures in self.collected.figures.items():
            level = Level.of_severity(int(figures["severity"])).value
            counts[self.group_of[device]][level] += 1
        return {group: dict(levels) for group, levels in sorted(counts.items())}

    def _by_group(self) -> dict[str, dict[str, float]]:
        """Return bytes, operations, energy and the slowest device's virtual seconds by group."""
        members = self.figures_by_group()
        return {
            group: {
                "devices": len(rows),
                "uplink_bytes": _sum(rows, "uplink-update-bytes"),
                "downlink_bytes": _sum(rows, "downlink-model-bytes")
                + _sum(rows, "downlink-knowledge-bytes"),
                "flops": _sum(rows, "flops"),
                "energy_j": _sum(rows, "energy-j"),
                "duration_s": max(row["total-s"] for row in rows.values()),
            }
            for group, rows in sorted(members.items())
        }

    def figures_by_group(self) -> dict[str, dict[int, Figures]]:
        """Return what the devices of each group reported."""
        members: dict[str, dict[int, Figures]] = defaultdict(dict)
        for device, figures in self.collected.figures.items():
            members[self.group_of[device]][device] = figures
        return members

    def _foretold(self) -> dict[str, dict[str, float]]:
        """Return by group what was foretold of a device and, under ``seen_``, what happened.

        Times of devices that trained; the share in time of all that were asked.
        """
        foretold = {}
        for group, rows in self.figures_by_group().items():
            trained = [row for row in rows.values() if row["status"] != UNFIT]
            if group in self.decision.foretold and trained:
                count = len(trained)
                foretold[group] = {
                    **self.decision.foretold[group],
                    "seen_duration_s": sum(row["total-s"] for row in trained) / count,
                    "seen_energy_j": sum(row["energy-j"] for row in trained) / count,
                    "seen_in_time_ratio": sum(row["status"] == DONE for row in trained) / count,
                }
        return dict(sorted(foretold.items()))

    def _mean_term(self, term: str) -> float:
        values = [f[f"loss-{term}"] for f in self.collected.figures.values() if f"loss-{term}" in f]
        return sum(values) / len(values) if values else 0.0

    def _coefficients(self) -> dict[str, dict[str, float]]:
        return {
            group: {term: _sum(rows, f"coefficient-{term}") / len(rows) for term in TERMS}
            for group, rows in sorted(self.figures_by_group().items())
        }

    def export(self, store: MetricStore, policy: str) -> None:
        """Write the round's figures to the metrics."""
        store.set("edgestill_round", self.round_number)
        store.inc("edgestill_rounds_total")
        store.set("edgestill_round_virtual_seconds", self.duration_s)
        store.observe("edgestill_round_wall_seconds", self.wall_s)
        store.set("edgestill_accuracy_ratio", self.score.accuracy, model="student", split="test")
        for term in TERMS:
            store.set("edgestill_loss", self._mean_term(term), term=term)
        for group, terms in self._coefficients().items():
            for term, value in terms.items():
                store.set("edgestill_loss_coefficient", value, term=term, group=group)
        samples = _sum(self.collected.figures, "knowledge-samples")
        store.inc("edgestill_knowledge_samples_total", samples, policy=policy)
        self._export_devices(store)

    def _export_devices(self, store: MetricStore) -> None:
        for participant in self.participants:
            group = self.group_of[participant.device]
            store.inc("edgestill_devices_selected_total", group=group)
        for group, rows in self.figures_by_group().items():
            done = Counter(row["status"] for row in rows.values())
            store.inc("edgestill_devices_completed_total", done[DONE], group=group)
            store.inc("edgestill_devices_late_total", done[LATE], group=group)
            for metric, key, kind in _BYTES:
                store.inc(metric, _sum(rows, key), group=group, kind=kind)
            store.inc("edgestill_energy_joules_total", _sum(rows, "energy-j"), group=group)
            store.inc("edgestill_compute_flops_total", _sum(rows, "flops"), group=group)
        for reason, count in self.collected.failures.items():
            store.inc("edgestill_devices_failed_total", count, reason=reason)
            if reason in LOST_REASONS:
                store.inc("edgestill_devices_lost_total", count)


_BYTES = (
    ("edgestill_uplink_bytes_total", "uplink-update-bytes", "update"),
    ("edgestill_downlink_bytes_total", "downlink-model-bytes", "model"),
    ("edgestill_downlink_bytes_total", "downlink-knowledge-bytes", "knowledge"),
)


def _sum(figures: Mapping[int, Figures], key: str) -> float:
    # Integers stay integers: bytes are counted exactly.
    return sum(row[key] for row in figures.values())
