"""Dashboard ``allocation``: what each group may spend, from which signals, and how sure of them."""

from edgestill.allocation import STATES
from edgestill.config import SignalsConfig
from edgestill.monitoring.boards.vitals import BATTERY, CPU, FREE_MEMORY, TEMPERATURE
from edgestill.monitoring.panels import (
    BAD,
    FAIR,
    GOOD,
    GROUP,
    POOR,
    Board,
    Query,
    Row,
    graph,
    rising,
    stat,
    table,
    timeline,
)
from edgestill.monitoring.promql import one_hot, rate, series, sum_of, total
from edgestill.monitoring.rules import LEVELS, chosen

_LEVEL = chosen("run_group:edgestill_group_level:index")
_LEVEL_STATES = tuple(zip(LEVELS, (BAD, POOR, FAIR, GOOD), strict=True))
_SUREST_LAST = tuple(reversed(STATES))
_DECISION = one_hot(
    [series("edgestill_group_decision", state=state) for state in _SUREST_LAST], "group"
)
_DECISION_STATES = tuple(zip(_SUREST_LAST, (BAD, FAIR, GOOD), strict=True))
_STALE_AFTER_S = SignalsConfig().stale_after_s

_NOW = Row(
    title="Now",
    panels=(
        stat(
            title="Groups below high",
            description="Groups that may spend less than everything.",
            queries=(Query(total(f"{_LEVEL} < bool {len(LEVELS) - 1}")),),
        ),
        stat(
            title="Changes of level",
            description="Since the run began, over the chosen groups.",
            queries=(Query(sum_of("edgestill_allocation_changes_total")),),
            absent="none",
        ),
        stat(
            title="Groups in doubt",
            description="Groups whose signals could not be used at the last decision: their level "
            "is held, or is the safe one.",
            queries=(Query(sum_of("edgestill_group_decision", state="held|safe")),),
            bounds=rising(1),
        ),
        stat(
            title="Oldest signal",
            description="Age of the oldest group's signals at the last decision, in real time.",
            queries=(Query(f"max by (run) ({series('edgestill_signal_age_seconds')})"),),
            unit="s",
            bounds=rising(_STALE_AFTER_S / 2, _STALE_AFTER_S),
        ),
        stat(
            title="Signals not used",
            description="Missing, stale or absurd, since the run began.",
            queries=(Query(sum_of("edgestill_signal_faults_total")),),
            bounds=rising(1),
            absent="none",
        ),
        stat(
            title="Failed questions",
            description="Questions to the source of the signals without a usable answer, since "
            "the run began.",
            queries=(Query(sum_of("edgestill_signal_source_errors_total")),),
            bounds=rising(1),
            absent="none",
        ),
    ),
)

_DECISIONS = Row(
    title="Decisions",
    panels=(
        timeline(
            title="Level of each group",
            description="What a group may spend: modalities, width, bits and epochs follow from "
            "its level.",
            queries=(Query(_LEVEL, GROUP),),
            states=_LEVEL_STATES,
        ),
        timeline(
            title="How each group was decided",
            description="From fresh signals; with its level held; or safe, since its signals "
            "stayed away too long.",
            queries=(Query(_DECISION, GROUP),),
            states=_DECISION_STATES,
        ),
        graph(
            title="Devices by level",
            description="How many devices of the chosen groups are at each level.",
            queries=(
                Query(
                    f"sum by (run, level) ({series('edgestill_group_level')} * on (run, group) "
                    f"group_left () {sum_of('edgestill_group_devices', 'group')})",
                    "{{run}} {{level}}",
                ),
            ),
            width=12,
            low=0,
            stacked=True,
            stepped=True,
        ),
        graph(
            title="Changes in five minutes",
            description="A group that changes in more than four of ten rounds flaps, and an alert "
            "fires.",
            queries=(Query(chosen("run_group:edgestill_allocation_changes:increase5m"), GROUP),),
            width=12,
            low=0,
        ),
        table(
            title="Changes by group",
            description="How often each group was changed to each level since the run began.",
            queries=(
                Query(sum_of("edgestill_allocation_changes_total", "group", "level"), "Changes"),
            ),
        ),
    ),
)

_SIGNALS = Row(
    title="What is decided from",
    panels=tuple(
        graph(
            title=title,
            description=f"{text} The lines are where the levels begin by default.",
            queries=(Query(series(name), GROUP),),
            unit=unit,
            width=6,
            bounds=bounds,
        )
        for title, text, name, unit, bounds in (
            (
                "CPU load",
                "Mean of a group, by other work.",
                "edgestill_group_cpu_ratio",
                "percentunit",
                CPU,
            ),
            (
                "Free memory",
                "Mean of a group.",
                "edgestill_group_free_memory_bytes",
                "decbytes",
                FREE_MEMORY,
            ),
            (
                "Battery",
                "Mean charge of a group.",
                "edgestill_group_battery_ratio",
                "percentunit",
                BATTERY,
            ),
            (
                "Temperature",
                "Mean of a group.",
                "edgestill_group_temperature_celsius",
                "celsius",
                TEMPERATURE,
            ),
        )
    ),
)

_TRUST = Row(
    title="How sure it is",
    panels=(
        graph(
            title="Age of the signals",
            description="At the last decision, in real time; beyond the line they are stale by "
            "default.",
            queries=(Query(series("edgestill_signal_age_seconds"), GROUP),),
            unit="s",
            width=6,
            low=0,
            bounds=rising(_STALE_AFTER_S),
        ),
        graph(
            title="Signals not used",
            description="Per second of real time, by signal and by what was wrong with it.",
            queries=(
                Query(
                    rate("edgestill_signal_faults_total", "signal", "fault"),
                    "{{run}} {{signal}} {{fault}}",
                ),
            ),
            unit="suffix: /s",
            width=6,
            low=0,
        ),
        graph(
            title="Failed questions",
            description="To the source of the signals, per second of real time, by reason.",
            queries=(
                Query(rate("edgestill_signal_source_errors_total", "reason"), "{{run}} {{reason}}"),
            ),
            unit="suffix: /s",
            width=6,
            low=0,
        ),
        graph(
            title="Virtual time of the vitals",
            description="How far the fleet's own clock has come. A simulated fleet's runs ahead "
            "of real time.",
            queries=(Query(series("edgestill_vitals_virtual_seconds")),),
            unit="s",
            width=6,
            stepped=True,
        ),
    ),
)

ALLOCATION = Board(
    name="allocation",
    title="edgestill / Allocation",
    description="What each group may spend, from which signals, and how sure of them.",
    rows=(_NOW, _DECISIONS, _SIGNALS, _TRUST),
)
