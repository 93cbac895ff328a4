"""A load that rises above 90 % and falls again: one group's level follows, and so does its cost."""

import pytest
import yaml

from edgestill.config import load
from edgestill.federation import (
    Coordinator,
    LocalGrid,
    NoSource,
    Surroundings,
    World,
    make_client_app,
)
from edgestill.telemetry import MetricStore

INTERVAL_S = 60.0
LOAD = [(0, 0.2), (150, 0.95), (390, 0.2)]
"""Rounds start at 0, 60, 120 ...: rounds 4 to 7 see the load, all others do not."""

BUSY = range(4, 8)
LAST_ROUND = 14


class Nobody:
    def vitals_exported(self):
        pass

    def round_started(self, round_number, participants):
        pass

    def round_ended(self, row):
        pass


@pytest.fixture(scope="module")
def rows(small_config, tmp_path_factory):
    home = tmp_path_factory.mktemp("trace")
    lines = ["time_s,value", *(f"{time_s},{value}" for time_s, value in LOAD)]
    (home / "load.csv").write_text("\n".join(lines) + "\n")
    groups = [
        {"name": "busy", "profile": "phone", "load": {"kind": "csv", "path": "load.csv"}},
        {"name": "calm", "profile": "phone"},
    ]
    tree = small_config.model_dump(mode="json") | {
        "fleet": {"devices": 6, "groups": groups},
        "knowledge": {"selection": "none"},
        "federation": {"rounds": LAST_ROUND, "interval_s": INTERVAL_S},
    }
    (home / "trace.yaml").write_text(yaml.safe_dump(tree))
    config = load(home / "trace.yaml")
    world = World.build(config)
    surroundings = Surroundings(
        world=world,
        source=NoSource(world.dataset.classes),
        store=MetricStore(),
        observer=Nobody(),
    )
    state = Coordinator(LocalGrid(make_client_app(config), 6), surroundings).run()
    return {row["round"]: row for row in state.rows}


def levels(rows, group):
    return [row["levels"][group] for row in rows.values()]


def test_the_level_falls_within_a_round_and_rises_again_without_flapping(rows):
    found = levels(rows, "busy")
    assert found[:3] == ["high"] * 3
    assert found[3:7] == ["critical"] * 4
    # One level a round, and never down again.
    assert found[7:10] == ["low", "medium", "high"]
    assert found[10:] == ["high"] * 4


def test_the_reason_names_the_signal(rows):
    assert rows[4]["changed"] == ["busy"]
    assert rows[4]["reasons"]["busy"] == "cpu 0.95 above 0.90"


def test_the_other_group_is_untouched(rows):
    assert set(levels(rows, "calm")) == {"high"}
    calm = [row["by_group"]["calm"] for row in rows.values()]
    assert len({group["flops"] for group in calm}) == 1
    assert {group["devices"] for group in calm} == {3}


@pytest.mark.parametrize("key", ["uplink_bytes", "downlink_bytes", "flops", "duration_s"])
def test_bytes_work_and_time_of_its_devices_fall_and_rise_with_it(rows, key):
    groups = {n: row["by_group"]["busy"] for n, row in rows.items() if "busy" in row["by_group"]}
    # The duration is that of the slowest device; the others are sums.
    each = {
        n: group[key] / (key == "duration_s" or group["devices"]) for n, group in groups.items()
    }
    high = [value for number, value in each.items() if number < min(BUSY) or number > max(BUSY) + 2]
    critical = [each[number] for number in BUSY if number in each]
    low, medium = each[max(BUSY) + 1], each[max(BUSY) + 2]
    assert len(high) == 8
    assert critical, "somebody takes part at level critical"
    assert max(critical) <= low <= medium <= max(high)
    # A link's round trip, which is part of the duration, does not shrink.
    assert max(critical) < (0.7 if key == "duration_s" else 0.5) * min(high)
