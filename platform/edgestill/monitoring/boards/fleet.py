"""Dashboard ``fleet``: what the devices are, how they are, what they did and what it cost them."""

from edgestill.monitoring.boards.vitals import BATTERY, CPU, FREE_MEMORY, TEMPERATURE
from edgestill.monitoring.panels import GROUP, Board, Panel, Query, Row, graph, rising, stat, table
from edgestill.monitoring.promql import rate, ratio, series, sum_of
from edgestill.monitoring.rules import chosen

_BANDS = ((0.9, "90 %"), (0.5, "median"), (0.1, "10 %"))


def _spread(name: str, title: str, unit: str) -> Panel:
    """Return a graph of how a vital is spread over the devices."""
    return graph(
        title=title,
        description="Tenth, half and nine tenths of the devices that have a series of their own "
        "(telemetry.max_device_series) lie below these lines.",
        queries=tuple(
            Query(f"quantile by (run) ({share}, {series(name)})", f"{{{{run}}}} {text}")
            for share, text in _BANDS
        ),
        unit=unit,
        width=6,
    )


_NOW = Row(
    title="Now",
    panels=(
        stat(
            title="Devices",
            description="Devices of the chosen groups.",
            queries=(Query(sum_of("edgestill_group_devices")),),
        ),
        stat(
            title="Updates used",
            description="Updates of devices that came in time, since the run began.",
            queries=(Query(sum_of("edgestill_devices_completed_total")),),
        ),
        stat(
            title="Unfinished",
            description="Share of the devices asked in the last 5 minutes that gave no update: "
            "late, failed, or lost.",
            queries=(
                Query(f"avg by (run) ({chosen('run_group:edgestill_devices_unfinished:ratio5m')})"),
            ),
            unit="percentunit",
            bounds=rising(0.1, 0.5),
            absent="none asked",
        ),
        stat(
            title="Lost",
            description="Devices whose work was lost with an actor and not done again.",
            queries=(Query(sum_of("edgestill_devices_lost_total")),),
            bounds=rising(1),
        ),
        stat(
            title="Sent by devices",
            description="Bytes on the uplinks, framing included, since the run began.",
            queries=(Query(sum_of("edgestill_uplink_bytes_total")),),
            unit="decbytes",
        ),
        stat(
            title="Energy",
            description="Energy that the devices have spent since the run began.",
            queries=(Query(sum_of("edgestill_energy_joules_total")),),
            unit="joule",
        ),
    ),
)

_GROUPS = Row(
    title="Groups",
    panels=(
        table(
            title="Groups now",
            description="Means over the devices of a group; a colour is that of the level to which "
            "the value alone would lead. Mains-powered groups have no battery.",
            height=9,
            queries=(
                Query(sum_of("edgestill_group_devices", "group", "profile"), "Devices"),
                Query(sum_of("edgestill_group_cpu_ratio", "group"), "CPU", "percentunit", CPU),
                Query(
                    sum_of("edgestill_group_free_memory_bytes", "group"),
                    "Free memory",
                    "decbytes",
                    FREE_MEMORY,
                ),
                Query(
                    sum_of("edgestill_group_battery_ratio", "group"),
                    "Battery",
                    "percentunit",
                    BATTERY,
                ),
                Query(
                    sum_of("edgestill_group_temperature_celsius", "group"),
                    "Temperature",
                    "celsius",
                    TEMPERATURE,
                ),
                Query(sum_of("edgestill_energy_joules_total", "group"), "Energy", "joule"),
                Query(sum_of("edgestill_uplink_bytes_total", "group"), "Sent", "decbytes"),
                Query(sum_of("edgestill_downlink_bytes_total", "group"), "Received", "decbytes"),
            ),
        ),
        graph(
            title="CPU load by other work",
            description="Mean over a group's devices; the lines are where the levels begin.",
            queries=(Query(series("edgestill_group_cpu_ratio"), GROUP),),
            unit="percentunit",
            width=6,
            low=0,
            high=1,
            bounds=CPU,
        ),
        graph(
            title="Free memory",
            description="Mean over a group's devices; the lines are where the levels begin.",
            queries=(Query(series("edgestill_group_free_memory_bytes"), GROUP),),
            unit="decbytes",
            width=6,
            low=0,
            bounds=FREE_MEMORY,
        ),
        graph(
            title="Battery",
            description="Mean charge of a group's batteries; mains-powered groups have none.",
            queries=(Query(series("edgestill_group_battery_ratio"), GROUP),),
            unit="percentunit",
            width=6,
            low=0,
            high=1,
            bounds=BATTERY,
        ),
        graph(
            title="Temperature",
            description="Mean over a group's devices; the lines are where the levels begin.",
            queries=(Query(series("edgestill_group_temperature_celsius"), GROUP),),
            unit="celsius",
            width=6,
            bounds=TEMPERATURE,
        ),
    ),
)

_WORK = Row(
    title="Work",
    panels=(
        graph(
            title="Updates used",
            description="Devices per second of real time whose update came in time.",
            queries=(Query(rate("edgestill_devices_completed_total", "group"), GROUP),),
            unit="suffix: /s",
            low=0,
            stacked=True,
        ),
        graph(
            title="Share of devices that finish",
            description="Updates used per device asked. What is missing was late, failed or lost.",
            queries=(
                Query(
                    ratio(
                        rate("edgestill_devices_completed_total", "group"),
                        rate("edgestill_devices_selected_total", "group"),
                    ),
                    GROUP,
                ),
            ),
            unit="percentunit",
            low=0,
            high=1,
        ),
        graph(
            title="Late, failed and lost",
            description="Since the run began: past the deadline by group, failed by reason, lost "
            "with an actor and not done again.",
            queries=(
                Query(sum_of("edgestill_devices_late_total", "group"), f"{GROUP} late"),
                Query(sum_of("edgestill_devices_failed_total", "reason"), "{{run}} {{reason}}"),
                Query(sum_of("edgestill_devices_lost_total"), "{{run}} lost"),
            ),
            low=0,
            stepped=True,
        ),
    ),
)

_COST = Row(
    title="What it costs the devices",
    panels=(
        graph(
            title="Uplink by kind",
            description="Bytes per second of real time that devices send, framing included.",
            queries=(Query(rate("edgestill_uplink_bytes_total", "kind"), "{{run}} {{kind}}"),),
            unit="Bps",
            width=6,
            low=0,
            stacked=True,
        ),
        graph(
            title="Downlink by kind",
            description="Bytes per second of real time that devices receive, framing included.",
            queries=(Query(rate("edgestill_downlink_bytes_total", "kind"), "{{run}} {{kind}}"),),
            unit="Bps",
            width=6,
            low=0,
            stacked=True,
        ),
        graph(
            title="Energy of a round",
            description="Joules that a group spends in a round. It does not depend on how fast "
            "the simulation runs.",
            queries=(
                Query(
                    f"{rate('edgestill_energy_joules_total', 'group')} / on (run) group_left () "
                    f"({rate('edgestill_rounds_total')} > 0)",
                    GROUP,
                ),
            ),
            unit="joule",
            width=6,
            low=0,
            stacked=True,
        ),
        graph(
            title="Computation",
            description="Floating-point operations per second of real time, over all devices of a "
            "group.",
            queries=(Query(rate("edgestill_compute_flops_total", "group"), GROUP),),
            unit="flops",
            width=6,
            low=0,
            stacked=True,
        ),
    ),
)

_DEVICES = Row(
    title="Devices one by one",
    panels=(
        _spread("edgestill_device_cpu_ratio", "CPU load of devices", "percentunit"),
        _spread("edgestill_device_free_memory_bytes", "Free memory of devices", "decbytes"),
        _spread("edgestill_device_battery_ratio", "Battery of devices", "percentunit"),
        _spread("edgestill_device_temperature_celsius", "Temperature of devices", "celsius"),
    ),
)

FLEET = Board(
    name="fleet",
    title="edgestill / Fleet",
    description="What the devices are, how they are, what they did and what it cost them.",
    rows=(_NOW, _GROUPS, _WORK, _COST, _DEVICES),
)
