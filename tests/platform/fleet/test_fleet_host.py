"""A machine's own readings, on a psutil that the test sets and on this machine's."""

import math
import os
import time
from collections import namedtuple
from types import SimpleNamespace

import psutil
import pytest

from edgestill.config import FleetConfig
from edgestill.fleet import CpuMeter, Fleet, HostVitals, Vitals, meter
from edgestill.fleet.host import battery_ratio, temperature_c

Times = namedtuple("Times", "user system idle iowait guest guest_nice")


class Machine:
    """CPUs whose seconds the test hands out."""

    def __init__(self, monkeypatch):
        self.wall_s, self.user_s, self.idle_s = 100.0, 50.0, 50.0
        self.own_s = {7: 10.0}
        monkeypatch.setattr(meter.time, "monotonic", lambda: self.wall_s)
        monkeypatch.setattr(psutil, "cpu_times", self._times)
        monkeypatch.setattr(psutil, "Process", self._process)
        monkeypatch.setattr(psutil, "getloadavg", lambda: (1.0, 0.0, 0.0))
        monkeypatch.setattr(meter.os, "cpu_count", lambda: 4)

    def _times(self):
        return Times(self.user_s, 0.0, self.idle_s, 0.0, self.user_s, 0.0)

    def _process(self, pid):
        if pid not in self.own_s:
            raise psutil.NoSuchProcess(pid)
        return SimpleNamespace(cpu_times=lambda: SimpleNamespace(user=self.own_s[pid], system=0.0))

    def run(self, *, user_s, idle_s, own_s=0.0, wall_s=1.0):
        self.wall_s += wall_s
        self.user_s += user_s
        self.idle_s += idle_s
        self.own_s[7] += own_s


@pytest.fixture
def machine(monkeypatch):
    return Machine(monkeypatch)


def test_the_cpu_of_others_is_without_ones_own(machine):
    cpu = CpuMeter([7])
    machine.run(user_s=3.0, idle_s=1.0, own_s=1.0)
    load = cpu.load([7])
    assert load.used_ratio == pytest.approx(0.75)
    assert load.other_ratio == pytest.approx(0.5)


def test_the_first_reading_at_once_is_the_load_average(machine):
    assert CpuMeter([7]).load([7]).other_ratio == pytest.approx(0.25)


def test_a_reading_too_soon_repeats_the_last(machine):
    cpu = CpuMeter([7])
    machine.run(user_s=4.0, idle_s=0.0)
    first = cpu.load([7])
    machine.run(user_s=0.0, idle_s=0.01, wall_s=0.01)
    assert cpu.load([7]) == first


def test_processes_that_come_and_go_disturb_nothing(machine):
    cpu = CpuMeter([7])
    machine.own_s[9] = 500.0
    machine.run(user_s=2.0, idle_s=2.0, own_s=1.0)
    assert cpu.load([7, 9]).other_ratio == pytest.approx(0.25)
    del machine.own_s[9]
    machine.run(user_s=2.0, idle_s=2.0)
    assert cpu.load([7, 9]).other_ratio == pytest.approx(0.5)


def sensors(*values):
    return {"chip": [SimpleNamespace(current=value) for value in values]}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (sensors(41.0, 55.5), 55.5),
        (sensors(0.0, 33.0, 255.0, -273.0), 33.0),
        (sensors(0.0), math.nan),
        ({}, math.nan),
    ],
)
def test_the_hottest_sensor_that_can_be_believed(monkeypatch, found, expected):
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: found, raising=False)
    assert temperature_c() == pytest.approx(expected, nan_ok=True)


def test_a_system_without_sensors_says_so(monkeypatch):
    monkeypatch.delattr(psutil, "sensors_temperatures", raising=False)
    monkeypatch.delattr(psutil, "sensors_battery", raising=False)
    assert math.isnan(temperature_c())
    assert battery_ratio() == 1.0


@pytest.mark.parametrize(("percent", "expected"), [(None, 1.0), (40.0, 0.4), (104.0, 1.0)])
def test_no_battery_is_mains(monkeypatch, percent, expected):
    battery = None if percent is None else SimpleNamespace(percent=percent)
    monkeypatch.setattr(psutil, "sensors_battery", lambda: battery, raising=False)
    assert battery_ratio() == pytest.approx(expected)


def test_this_machine_is_read():
    host = HostVitals()
    end = time.monotonic() + 0.3
    while time.monotonic() < end:
        pass
    vitals = host.read()
    assert 0.0 <= vitals.cpu_ratio <= 1.0
    assert 0.0 < vitals.free_memory_bytes <= psutil.virtual_memory().total
    assert 0.0 <= vitals.battery_ratio <= 1.0
    # What this process itself burns is not the load of others.
    own = CpuMeter([os.getpid()])
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        pass
    load = own.load([os.getpid()])
    assert load.used_ratio > load.other_ratio


REAL = Vitals(
    cpu_ratio=0.5,
    free_memory_bytes=1e9,
    battery_ratio=0.25,
    temperature_c=math.nan,
    bandwidth_ratio=1.0,
    available=True,
)


def test_what_a_device_reports_stands_in_place_of_its_trace():
    fleet = Fleet(FleetConfig(devices=4, groups=({"name": "phones", "profile": "phone"},)), 0)
    before = fleet.vitals_many(range(4), 0.0)
    fleet.report(2, REAL)
    after = fleet.vitals_many(range(4), 0.0)
    assert [after[d] == before[d] for d in range(4)] == [True, True, False, True]
    assert (after[2].cpu_ratio, after[2].battery_ratio) == (0.5, 0.25)
    assert math.isnan(after[2].temperature_c)
    columns = fleet.vitals_columns(fleet.members("phones"), 0.0)
    assert columns["cpu_ratio"].tolist() == [one.cpu_ratio for one in after]


def test_a_group_is_the_mean_of_what_is_known():
    fleet = Fleet(FleetConfig(devices=2, groups=({"name": "phones", "profile": "phone"},)), 0)
    simulated = fleet.vitals(0, 0.0)
    fleet.report(1, REAL)
    means = fleet.group_means(0.0)["phones"]
    assert means.cpu_ratio == pytest.approx((simulated.cpu_ratio + 0.5) / 2)
    assert means.temperature_c == pytest.approx(simulated.temperature_c)
    fleet.report(0, REAL)
    assert math.isnan(fleet.group_means(0.0)["phones"].temperature_c)


def test_an_empty_battery_makes_a_real_device_unavailable():
    fleet = Fleet(FleetConfig(devices=2, groups=({"name": "phones", "profile": "phone"},)), 0)
    assert fleet.available(0.0).all()
    fleet.report(1, Vitals(**{**{n: getattr(REAL, n) for n in REAL.__slots__}, "battery_ratio": 0}))
    assert fleet.available(0.0).tolist() == [True, False]
