"""Cohorts come and go with the load, and what is learned does not notice."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import plain_apps
import pytest
import ray
from flwr.app import ConfigRecord, Message, RecordDict

from edgestill.actors import Pool, RayGrid, elastic
from edgestill.actors import crew as crew_module
from edgestill.actors import pool as pool_module
from edgestill.actors.nodes import ClusterLoad
from edgestill.config import EngineConfig
from edgestill.federation import (
    FIRST_NODE_ID,
    Coordinator,
    NoSource,
    Surroundings,
    make_client_app,
    world_of,
)
from edgestill.telemetry import MetricStore

DEVICES = 24
ROUNDS = 6
CROWDED_FROM = 4


class FakeWatch:
    """A cluster whose load the test sets; remembers the queues that it was told."""

    def __init__(self) -> None:
        self.load_now: ClusterLoad | None = None
        self.reports: list[Mapping[int, int]] = []

    def load(self) -> ClusterLoad | None:
        return self.load_now

    def report(self, queues: Mapping[int, int], places: Any) -> None:
        self.reports.append(dict(queues))


@pytest.fixture(autouse=True)
def looks_always(monkeypatch):
    monkeypatch.setattr(elastic, "LOOK_EVERY_S", 0.0)


@pytest.fixture
def make_pool(ray_here):
    pools = []

    def make(app=None, *, cohorts=1, fogs=1, **bounds):
        watch, store = FakeWatch(), MetricStore()
        config = EngineConfig(cohorts=cohorts, fogs=fogs, cool_down_s=0.0, **bounds)
        app = app or plain_apps.sleeper(-1, seconds=0.0)
        pool = Pool(app, config, store, run_id=1, fingerprint=0, watch=watch)
        pools.append(pool)
        return pool, watch, store

    yield make
    for pool in pools:
        pool.close()


def started(pool: Pool) -> None:
    """Wait until a cohort that is on its way, if any, is ready to be taken in."""
    if pool._newcomer is not None:
        ray.wait([pool._newcomer.ready], timeout=60.0)


def asked(devices: int, **config: bool) -> list[Message]:
    record = ConfigRecord({"stall": False, **config})
    return [
        Message(RecordDict({"config": record}), FIRST_NODE_ID + device, "train")
        for device in range(devices)
    ]


def answered(grid: RayGrid, devices: int) -> None:
    replies = list(grid.send_and_receive(asked(devices)))
    assert len(replies) == devices
    assert not any(reply.has_error() for reply in replies)


class Watching:
    """Lets cohorts that are on their way arrive between rounds, and crowds the cluster late."""

    def __init__(self, pool: Pool, watch: FakeWatch) -> None:
        self._pool, self._watch = pool, watch
        self.sizes: list[int] = []

    def vitals_exported(self) -> None:
        """Nothing to do."""

    def round_started(self, round_number: int, participants: int) -> None:
        started(self._pool)
        if round_number >= CROWDED_FROM:
            self._watch.load_now = ClusterLoad(cpus=4.0, other_cpu_ratio=0.95)

    def round_ended(self, row: Mapping[str, Any]) -> None:
        self.sizes.append(len(self._pool.cohorts))


def learned(config, pool, observer):
    world = world_of(config)
    coordinator = Coordinator(
        RayGrid(pool, config.fleet.devices),
        Surroundings(
            world=world,
            source=NoSource(world.dataset.classes),
            store=MetricStore(),
            observer=observer,
        ),
    )
    state = coordinator.run()
    rows = [{k: v for k, v in row.items() if k != "wall_s"} for row in state.rows]
    return rows, state.arrays


def test_a_pool_that_grows_and_shrinks_learns_bit_for_bit_the_same(make_pool, tiny_config):
    config = tiny_config(
        knowledge={"selection": "none"},
        fleet={"devices": DEVICES},
        federation={"rounds": ROUNDS},
    )
    results, sizes = [], []
    for bounds in ({"cohorts_min": 1, "cohorts_max": 3}, {}):
        pool, watch, store = make_pool(make_client_app(config), **bounds)
        pool.use(make_client_app(config), world_of(config).fingerprint)
        observer = Watching(pool, watch)
        results.append(learned(config, pool, observer))
        sizes.append(observer.sizes)
        if bounds:
            report = pool.report()
            grown = store.value("edgestill_pool_changes_total", tier="cohort", action="grow")
            shrunk = store.value("edgestill_pool_changes_total", tier="cohort", action="shrink")
            alive = store.value("edgestill_actors", tier="cohort")
    assert (max(sizes[0]), sizes[0][-1]) == (3, 1)
    assert set(sizes[1]) == {1}
    assert results[0][0] == results[1][0]
    for name, array in results[0][1].items():
        assert array.tobytes() == results[1][1][name].tobytes(), name
    assert (report["least"], report["most"], grown, shrunk, alive) == (1, 3, 2, 2, 1)
    assert [change["actors"] for change in report["changes"]] == [2, 3, 2, 1]
    assert all("CPUs" in c["reason"] or "queue" in c["reason"] for c in report["changes"])


def test_a_cohort_with_work_under_way_is_not_removed(make_pool):
    pool, _, _ = make_pool(plain_apps.sleeper(0, seconds=2.0), cohorts=2, fogs=2)
    grid = RayGrid(pool, 4)
    answered(grid, 4)
    grid.push_messages(asked(4, stall=True))
    pool.shrink("test")
    busy = {flight.cohort for flight in grid._flights._under_way.values()}
    assert busy == {0, 1}
    pool.adapt(work=4, busy=busy)
    assert sorted(pool.cohorts) == [0, 1]
    assert pool.open() == [0]
    replies = list(grid.send_and_receive(asked(4)))
    assert not any(reply.has_error() for reply in replies)
    pool.adapt(work=0, busy=set())
    assert sorted(pool.cohorts) == [0]


def test_a_number_that_is_free_is_taken_again_with_the_same_fog(make_pool):
    pool, _, _ = make_pool(cohorts=2, fogs=2, cohorts_max=4)
    first = pool.cohorts[1]
    pool.shrink("test")
    pool.adapt(work=0, busy=set())
    pool.grow("test")
    started(pool)
    pool.adapt(work=0, busy=set())
    assert sorted(pool.cohorts) == [0, 1]
    assert pool.cohorts[1] != first
    answered(RayGrid(pool, 12), 12)


def test_a_cohort_that_dies_while_it_is_to_go_is_not_replaced(make_pool):
    pool, _, store = make_pool(cohorts=2)
    pool.shrink("test")
    pool.replace(1)
    assert sorted(pool.cohorts) == [0]
    assert store.value("edgestill_actor_restarts_total", tier="cohort") == 0
    answered(RayGrid(pool, 12), 12)


def test_a_newcomer_runs_the_app_that_came_after_it_was_asked_for(make_pool):
    pool, _, _ = make_pool(plain_apps.faulty(0), cohorts=1, cohorts_max=2)
    pool.grow("test")
    pool.use(plain_apps.learner(), 0)
    started(pool)
    pool.adapt(work=10, busy=set())
    assert pool.open() == [0, 1]
    arrays = {"arrays": plain_apps.ArrayRecord([np.zeros(2, np.float32)])}
    sent = [Message(RecordDict(dict(arrays)), FIRST_NODE_ID + d, "train") for d in range(8)]
    assert not any(reply.has_error() for reply in RayGrid(pool, 8).send_and_receive(sent))


def test_a_newcomer_that_does_not_start_is_given_up_without_harm(make_pool, monkeypatch):
    pool, _, store = make_pool(cohorts=1, cohorts_max=2)
    start = crew_module.start_actor
    monkeypatch.setattr(pool_module, "GROW_TIMEOUT_S", 0.2)
    monkeypatch.setattr(
        crew_module, "start_actor", lambda *given, **more: start(*given, **{**more, "cpus": 1000})
    )
    pool.grow("test")
    time.sleep(0.3)
    pool.adapt(work=0, busy=set())
    assert pool._newcomer is None
    assert sorted(pool.cohorts) == [0]
    assert store.value("edgestill_pool_changes_total", tier="cohort", action="grow") == 0
    answered(RayGrid(pool, 12), 12)


def test_a_cohort_is_added_only_if_ray_has_a_cpu_for_it(make_pool, monkeypatch):
    pool, _, _ = make_pool(cohorts=1, cohorts_max=3)
    monkeypatch.setattr(elastic, "free_cpus", lambda: 0.9)
    pool.adapt(work=1000, busy=set())
    assert pool._newcomer is None
    monkeypatch.setattr(elastic, "free_cpus", lambda: 1.0)
    pool.adapt(work=1000, busy=set())
    assert pool._newcomer is not None


def test_the_queue_of_each_cohort_is_told_and_ends_empty(make_pool):
    pool, watch, _ = make_pool(cohorts=2)
    answered(RayGrid(pool, 20), 20)
    assert all(report.keys() == {0, 1} for report in watch.reports)
    assert max(sum(report.values()) for report in watch.reports) > 2
    assert watch.reports[-1] == {0: 0, 1: 0}


def test_the_pool_rests_from_when_the_newcomer_came_not_from_when_it_was_asked_for(
    make_pool, monkeypatch
):
    pool, _, _ = make_pool(cohorts=1, cohorts_min=1, cohorts_max=3)
    monkeypatch.setattr(pool._scaler, "bounds", replace(pool._scaler.bounds, cool_down_s=0.2))
    pool.adapt(work=1000, busy=set())
    started(pool)
    time.sleep(0.3)
    # It arrives now, and the queue is empty: without a rest it would go at once.
    pool.adapt(work=0, busy=set())
    assert pool.open() == [0, 1]
    time.sleep(0.3)
    pool.adapt(work=0, busy=set())
    assert pool.open() == [0]
