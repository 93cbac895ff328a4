"""Events of an invented run of two groups."""

from typing import Any

from edgestill.page.events import (
    Gauges,
    LogLine,
    RoundEnded,
    RoundStarted,
    RunEnded,
    RunStarted,
    StageAdvanced,
    Vitals,
)

PROFILES = {"phones": "phone", "boards": "single_board_computer"}


def begun(**given: Any) -> RunStarted:
    values = {
        "name": "demo",
        "folder": "/runs/demo-1",
        "rounds": 10,
        "profiles": PROFILES,
        "policy": "threshold",
        "delta": 1e-5,
        "epsilon_budget": None,
        "started_s": 1_795_000_000.0,
    }
    return RunStarted(**{**values, **given})


def stage(name: str, done: int, total: int | None, detail: str = "") -> StageAdvanced:
    return StageAdvanced(stage=name, done=done, total=total, detail=detail)


def gauges(level: str = "high", **given: Any) -> Gauges:
    values = {
        "devices": dict.fromkeys(PROFILES, 12),
        "vitals": {group: Vitals(cpu_ratio=0.25, battery_ratio=0.5) for group in PROFILES},
        "levels": {"phones": "high", "boards": level},
        "states": dict.fromkeys(PROFILES, "fresh"),
        "actors": {"fog": 1, "cohort": 2},
        "restarts": {"cohort": 0},
        "epsilon": {"update": 1.5},
        "teacher_accuracy": 0.9,
    }
    return Gauges(**{**values, **given})


def round_started(number: int, level: str = "high") -> RoundStarted:
    return RoundStarted(round_number=number, participants=20, gauges=gauges(level))


def round_ended(number: int, level: str = "high", **given: Any) -> RoundEnded:
    return RoundEnded(row=row(number, level, **given), gauges=gauges(level))


def row(number: int, level: str = "high", **given: Any) -> dict[str, Any]:
    values = {
        "round": number,
        "accuracy": 0.5 + number / 100,
        "loss": 1.0,
        "selected": 20,
        "completed": 18,
        "late": 1,
        "skipped": 0,
        "failed": 1,
        "time_s": 600.0 * number,
        "duration_s": 42.0,
        "wall_s": 2.0,
        "uplink_bytes": {"update": 1000},
        "downlink_bytes": {"model": 2000, "knowledge": 500},
        "energy_j": 30.0,
        "levels": {"phones": "high", "boards": level},
        "devices_by_level": {"boards": {level: 9, "low": 1}},
        "by_group": {"boards": {"energy_j": 12.0, "duration_s": 42.0}},
        "reasons": {"phones": "all signals within bounds", "boards": f"so {level}"},
    }
    return {**values, **given}


def line(text: str, level: str = "INFO", **given: Any) -> LogLine:
    return LogLine(**{"time_s": 1_795_000_000.0, "level": level, "text": text, **given})


def ended(
    outcome: Any = "done", said: str = "accuracy 88.0 %", report: str | None = None
) -> RunEnded:
    return RunEnded(outcome=outcome, said=said, report=report, ended_s=1_795_000_100.0)
