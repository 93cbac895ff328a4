"""A device with eyes of its own uses them, tells what it saw, and shows under the same names."""

import logging
import math
from types import SimpleNamespace

import pytest

from edgestill.errors import ConfigurationError, RunError
from edgestill.federation import LocalGrid, make_client_app
from edgestill.federation.device import own_eyes
from edgestill.federation.device.own_eyes import from_metrics, own_vitals, to_metrics
from edgestill.fleet import Vitals

HOT = Vitals(
    cpu_ratio=0.99,
    free_memory_bytes=8e9,
    battery_ratio=0.4,
    temperature_c=math.nan,
    bandwidth_ratio=1.0,
    available=True,
)
REAL = 2


@pytest.fixture
def host(monkeypatch):
    """What the machine reads; the test may change it."""
    machine = SimpleNamespace(vitals=HOT)
    monkeypatch.setattr(own_eyes, "_host", lambda: SimpleNamespace(read=lambda: machine.vitals))
    return machine


def grid_with_a_real_device(config, eyes="host"):
    grid = LocalGrid(make_client_app(config), config.fleet.devices)
    open_eyes(grid, grid.get_node_ids()[REAL], eyes)
    return grid


def open_eyes(grid, node, eyes):
    context = grid._contexts[node]
    context.node_config["vitals"] = eyes
    grid._contexts[node] = context


def test_a_real_device_lowers_itself_and_is_exported_as_it_is(
    plain_config, federate, host, foreign
):
    config = plain_config(federation={"rounds": 1})
    run = federate(config, grid=foreign(grid_with_a_real_device(config)))
    assert run.members[REAL].vitals == HOT
    assert all(m.vitals is None for d, m in run.members.items() if d != REAL)
    # Its group has two devices at most of which one is it; it lowers itself to critical.
    by_level = run.rows[0]["devices_by_level"]
    assert sum(levels.get("critical", 0) for levels in by_level.values()) >= 1
    value = run.store.value
    assert value("edgestill_device_cpu_ratio", device=REAL) == 0.99
    assert value("edgestill_device_battery_ratio", device=REAL) == 0.4
    assert value("edgestill_device_free_memory_bytes", device=REAL) == 8e9
    assert math.isnan(value("edgestill_device_temperature_celsius", device=REAL))
    assert value("edgestill_device_cpu_ratio", device=0) != 0.99


def test_the_groups_mean_holds_what_the_device_said_last(plain_config, federate, host):
    groups = [{"name": "phones", "profile": "phone", "load": {"value": 0.1}}]
    config = plain_config(fleet={"devices": 4, "groups": groups}, federation={"rounds": 2})
    run = federate(config, grid=grid_with_a_real_device(config))
    mean = run.store.value("edgestill_group_cpu_ratio", group="phones")
    assert mean == pytest.approx((3 * 0.1 + 0.99) / 4)


def test_without_the_nodes_word_the_trace_holds(plain_config, federate, host):
    run = federate(plain_config(federation={"rounds": 1}))
    assert all(member.vitals is None for member in run.members.values())
    assert run.store.value("edgestill_device_cpu_ratio", device=REAL) != 0.99


def test_other_eyes_than_these_are_refused_by_name(plain_config, federate):
    config = plain_config(fleet={"devices": 3})
    grid = LocalGrid(make_client_app(config), 3)
    for node in grid.get_node_ids():
        open_eyes(grid, node, "gpu")
    with pytest.raises(RunError, match="vitals is 'gpu', expected \"host\""):
        federate(config, grid=grid)


def test_this_machines_own_readings_pass_the_check():
    context = SimpleNamespace(node_config={"vitals": "host"})
    vitals = own_vitals(context)
    assert from_metrics(0, to_metrics(vitals)) is not None
    assert own_vitals(SimpleNamespace(node_config={})) is None
    with pytest.raises(ConfigurationError):
        own_vitals(SimpleNamespace(node_config={"vitals": 1}))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("vitals-cpu-ratio", 1.5),
        ("vitals-cpu-ratio", math.nan),
        ("vitals-cpu-ratio", [0.5]),
        ("vitals-cpu-ratio", None),
        ("vitals-free-memory-bytes", -1.0),
        ("vitals-free-memory-bytes", math.inf),
        ("vitals-battery-ratio", math.nan),
        ("vitals-temperature-c", math.inf),
    ],
)
def test_what_cannot_be_is_left_out_with_a_warning(key, value, caplog):
    metrics = {**to_metrics(HOT), key: value}
    with caplog.at_level(logging.WARNING, logger="edgestill"):
        assert from_metrics(7, metrics) is None
    assert "device 7 reported vitals that cannot be" in caplog.text


def test_a_reading_survives_the_way_there_and_back():
    seen = from_metrics(7, to_metrics(HOT))
    assert seen is not None
    assert to_metrics(seen) == pytest.approx(to_metrics(HOT), nan_ok=True)
    assert from_metrics(7, {"num-examples": 3}) is None
