"""CPUs are taken all at once or not at all, waited for, and given back."""

import sys
import threading

import pytest
import ray

from edgestill.actors import placement as placement_module
from edgestill.actors import reserved, start_actor
from edgestill.errors import InputError

FREE = 6
"""Of the eight CPUs; the pool of other tests holds two."""


class Worker:
    def node(self) -> str:
        return ray.get_runtime_context().get_node_id()

    def group(self) -> str | None:
        return ray.get_runtime_context().get_placement_group_id()


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(placement_module, "JOINING_TIMEOUT_S", 2.0)


@pytest.fixture(scope="module", autouse=True)
def workers_find_this_module():
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])


def test_actors_start_on_the_reserved_cpus(ray_here):
    with reserved(FREE) as placement:
        actors = [
            start_actor(Worker, cpus=1, restarts=0, placement=placement.of(index))
            for index in range(FREE)
        ]
        groups = ray.get([actor.group.remote() for actor in actors], timeout=60)
        assert set(groups) == {placement.group.id.hex()}
        for actor in actors:
            ray.kill(actor)


def test_an_actor_beyond_the_reservation_takes_any_free_cpu(ray_here):
    with reserved(1) as placement:
        assert placement.of(1) is None
        actor = start_actor(Worker, cpus=1, restarts=0, placement=placement.of(1))
        assert ray.get(actor.group.remote(), timeout=60) is None
        ray.kill(actor)


def test_who_comes_second_waits_and_says_so(ray_here, caplog):
    order = []
    inside, leave = threading.Event(), threading.Event()

    def first():
        with reserved(FREE):
            order.append("first in")
            inside.set()
            leave.wait(30)
            order.append("first out")

    def second():
        with reserved(FREE):
            order.append("second in")

    threads = [threading.Thread(target=run) for run in (first, second)]
    with caplog.at_level("INFO"):
        threads[0].start()
        assert inside.wait(30)
        threads[1].start()
        threads[1].join(3)
        assert order == ["first in"]
        leave.set()
        for thread in threads:
            thread.join(30)
    assert order == ["first in", "first out", "second in"]
    assert f"queued: waiting for {FREE} of the cluster's" in caplog.text
    assert f"{FREE} CPUs are free after" in caplog.text


def test_a_cluster_that_is_too_small_is_refused_in_one_line(ray_here, caplog):
    total = int(ray.cluster_resources()["CPU"])
    expected = f"engine.cohorts asks for 1000 CPUs, the cluster has {total}"
    with caplog.at_level("INFO"), pytest.raises(InputError) as caught, reserved(1000):
        pass
    assert str(caught.value) == expected
    assert f"queued: {expected}; waiting 2 s for nodes to join" in caplog.text


def test_what_fails_inside_gives_its_cpus_back(ray_here):
    with pytest.raises(ValueError, match="a bug"), reserved(FREE):
        raise ValueError("a bug")
    with reserved(FREE):
        pass
