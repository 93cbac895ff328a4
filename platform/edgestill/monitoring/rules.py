"""Recording and alerting rules, as values and as Prometheus' own file.

Thresholds are in rounds or in multiples of what a round takes wherever they can be, since a
simulation plays in a minute what a fleet of real devices does in a day.
"""

from dataclasses import dataclass
from typing import Any, Literal

from edgestill.allocation import Level
from edgestill.config import FederationConfig
from edgestill.monitoring.promql import one_hot, ratio, selector, total

JOB = "edgestill"
"""The scrape job's name."""

LEVELS = tuple(level.value for level in reversed(Level))
"""Worst first; the place of each is what is recorded of a group: 0 is critical, 3 is high."""

SHORTEST_STALL_S = 60
STALL_ROUNDS = 5
LONGEST_FIRST_ROUND_S = FederationConfig().timeout_s
FLAPS = 4
FLAPS_PER_ROUND = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A name for an expression, ``level:metric:operation`` as is Prometheus' convention."""

    name: str
    expression: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What to tell a person, once ``expression`` has held for ``hold_s`` seconds.

    Attributes:
        summary: one line; what happened and where.
        description: what it means and what to do.
        board: name of the dashboard to look at.
    """

    name: str
    expression: str
    hold_s: int
    severity: Literal["warning", "critical"]
    summary: str
    description: str
    board: str


def _growth(name: str, *by: str) -> str:
    return total(f"increase({selector(name)}[5m])", *by)


RECORDINGS = (
    Recording(
        name="run:edgestill_rounds:rate1m",
        expression=total(f"rate({selector('edgestill_rounds_total')}[1m])"),
    ),
    Recording(
        name="run:edgestill_round_age:seconds",
        expression="time() - max by (run) ("
        f"{selector('edgestill_round_started_timestamp_seconds')})",
    ),
    Recording(
        name="run:edgestill_round_wall_seconds:mean",
        expression=ratio(
            total(selector("edgestill_round_wall_seconds", part="sum")),
            total(selector("edgestill_round_wall_seconds", part="count")),
        ),
    ),
    Recording(
        name="run_group:edgestill_devices_unfinished:ratio5m",
        expression="clamp_min(1 - "
        + ratio(
            _growth("edgestill_devices_completed_total", "group"),
            _growth("edgestill_devices_selected_total", "group"),
        )
        + ", 0)",
    ),
    Recording(
        name="run_group:edgestill_group_level:index",
        expression=one_hot(
            [selector("edgestill_group_level", level=one) for one in LEVELS], "group"
        ),
    ),
    Recording(
        name="run_group:edgestill_allocation_changes:increase5m",
        expression=_growth("edgestill_allocation_changes_total", "group"),
    ),
    Recording(
        name="run:edgestill_serving_offload:ratio5m",
        expression=ratio(
            total(f"increase({selector('edgestill_serving_requests_total', status='200')}[5m])"),
            _growth("edgestill_serving_inputs_total"),
        ),
    ),
)
"""Expressions that several alerts and panels share."""


def recorded(name: str) -> str:
    """Return the name of a recording rule.

    Raises:
        ValueError: there is no such rule.
    """
    if name not in {rule.name for rule in RECORDINGS}:
        raise ValueError(f"{name}: no such rule records it")
    return name


def chosen(name: str) -> str:
    """Return a selector of a recorded name that follows the dashboard's variables."""
    groups = ',group=~"$group"' if recorded(name).startswith("run_group:") else ""
    return f'{name}{{run=~"$run"{groups}}}'


_AGE = recorded("run:edgestill_round_age:seconds")
_MEAN = recorded("run:edgestill_round_wall_seconds:mean")
_ERRORS = selector("edgestill_signal_source_errors_total")
_CHANGES = recorded("run_group:edgestill_allocation_changes:increase5m")

ALERTS = (
    Alert(
        name="EdgestillRoundStalled",
        expression=f"{_AGE} > clamp_min({STALL_ROUNDS} * {_MEAN}, {SHORTEST_STALL_S}) "
        f"or ({_AGE} > {LONGEST_FIRST_ROUND_S:g} unless {_MEAN})",
        hold_s=0,
        severity="critical",
        summary="Run {{ $labels.run }}: a round has not ended in {{ $value | humanizeDuration }}",
        description="It takes far longer than the rounds before it, or than replies are waited "
        "for. Look for stuck or dead actors, and at the run's log.",
        board="training",
    ),
    Alert(
        name="EdgestillDevicesLost",
        expression=f"{_growth('edgestill_devices_lost_total')} > 0",
        hold_s=0,
        severity="warning",
        summary="Run {{ $labels.run }}: the work of {{ $value | humanize }} devices was lost",
        description="Actors died and their devices could not be run again. Look at restarts, and "
        "at the memory of the nodes.",
        board="cluster",
    ),
    Alert(
        name="EdgestillSignalsStale",
        expression="max by (run, group, state) (max_over_time("
        f"{selector('edgestill_group_decision', state='held|safe')}[1m])) == 1",
        hold_s=0,
        severity="warning",
        summary="Run {{ $labels.run }}: group {{ $labels.group }} is decided without fresh signals "
        "({{ $labels.state }})",
        description="The level is held at first and then falls to the safe one. Look at the age "
        "and the faults of the signals, and whether their source answers.",
        board="allocation",
    ),
    Alert(
        name="EdgestillSignalSourceFails",
        # A source that fails is often the very server that evaluates this: when it is back, it
        # finds a counter that was not there before.
        expression=f"{_growth('edgestill_signal_source_errors_total', 'reason')} > 0 or "
        f"{total(f'{_ERRORS} unless {_ERRORS} offset 5m', 'reason')} > 0",
        hold_s=0,
        severity="warning",
        summary="Run {{ $labels.run }}: the source of the signals failed ({{ $labels.reason }})",
        description="The allocator asked allocation.prometheus_url in vain in the last 5 minutes.",
        board="allocation",
    ),
    Alert(
        name="EdgestillPrivacyBudgetSpent",
        expression=f"{selector('edgestill_privacy_epsilon')} >= on (run) group_left () "
        f"{selector('edgestill_privacy_budget_epsilon')}",
        hold_s=0,
        severity="critical",
        summary="Run {{ $labels.run }}: the privacy budget is spent by the {{ $labels.what }}",
        description="Epsilon is {{ $value }}, at or above privacy.epsilon_budget. Each further "
        "round tells more of the devices' data than was meant.",
        board="privacy",
    ),
    Alert(
        name="EdgestillLevelFlapping",
        expression=f"{_CHANGES} >= {FLAPS} and {_CHANGES} > on (run) group_left () "
        f"({FLAPS_PER_ROUND} * {_growth('edgestill_rounds_total')})",
        hold_s=0,
        severity="warning",
        summary="Run {{ $labels.run }}: the level of group {{ $labels.group }} flaps",
        description="{{ $value | humanize }} changes in 5 minutes, in more than "
        f"{FLAPS_PER_ROUND:.0%} of the rounds. Widen allocation.thresholds.hysteresis_ratio or "
        "raise rounds_before_raise.",
        board="allocation",
    ),
    Alert(
        name="EdgestillExporterDown",
        expression=f'up{{job="{JOB}"}} == 0',
        hold_s=15,
        severity="critical",
        summary="Run {{ $labels.run }}: its exporter does not answer",
        description="A run that ends takes its target away first, so this one was killed, or its "
        "telemetry actor is gone.",
        board="cluster",
    ),
)


def rule_file() -> dict[str, Any]:
    """Return the content of the rule file."""
    # In one group rules are evaluated in order, so alerts see what has just been recorded.
    recordings = [{"record": rule.name, "expr": rule.expression} for rule in RECORDINGS]
    rules = [*recordings, *(_alert(alert) for alert in ALERTS)]
    return {"groups": [{"name": "edgestill", "rules": rules}]}


def _alert(alert: Alert) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.expression,
        **({"for": f"{alert.hold_s}s"} if alert.hold_s else {}),
        "labels": {"severity": alert.severity},
        "annotations": {
            "summary": alert.summary,
            "description": alert.description,
            "dashboard": f"edgestill-{alert.board}",
        },
    }
