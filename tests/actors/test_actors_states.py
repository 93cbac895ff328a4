"""What devices keep lies in the object store, past the driver and beyond the life of any actor."""

import plain_apps
import pytest
import ray
from flwr.app import ConfigRecord, Message, RecordDict

from edgestill.actors import states as states_module
from edgestill.federation import FIRST_NODE_ID

DEVICES = 12
STATE_BYTES = 200_000


def rounds_of(grid, devices=DEVICES, **config):
    """Run a round and return each device's count of its rounds, which it reads off its state."""
    record = ConfigRecord({"size": STATE_BYTES, **config})
    sent = [
        Message(RecordDict({"config": record}), FIRST_NODE_ID + device, "train")
        for device in range(devices)
    ]
    replies = list(grid.send_and_receive(sent, timeout=120.0))
    assert not any(reply.has_error() for reply in replies)
    return {
        reply.metadata.src_node_id - FIRST_NODE_ID: reply.content["metrics"]["rounds"]
        for reply in replies
    }


@pytest.fixture
def fetched(monkeypatch):
    """The sizes of what this process fetches from the object store."""
    sizes = []
    get = ray.get

    def noting(references, **more):
        values = get(references, **more)
        for value in values if isinstance(references, list) else [values]:
            sizes.append(len(ray.cloudpickle.dumps(value)))
        return values

    monkeypatch.setattr(ray, "get", noting)
    return sizes


def test_states_of_any_size_live_on_and_never_come_to_the_driver(grid_of, fetched):
    grid = grid_of(plain_apps.hoarder(), DEVICES)
    for number in (1, 2, 3):
        fetched.clear()
        assert rounds_of(grid) == dict.fromkeys(range(DEVICES), number)
        assert sum(fetched) < DEVICES * 2000
    assert len(grid._contexts) == 0


def test_a_state_that_is_larger_than_its_share_gets_an_object_of_its_own(grid_of, monkeypatch):
    monkeypatch.setattr(states_module, "OBJECT_BYTES", STATE_BYTES)
    grid = grid_of(plain_apps.hoarder(), DEVICES)
    rounds_of(grid)
    few = len({kept.reference for kept in grid._states._kept.values()})
    rounds_of(grid)
    many = len({kept.reference for kept in grid._states._kept.values()})
    assert few < many == DEVICES
    assert rounds_of(grid) == dict.fromkeys(range(DEVICES), 3)


def test_states_outlive_the_actors_that_made_them(grid_of, pool, restarts):
    grid = grid_of(plain_apps.hoarder(), DEVICES)
    rounds_of(grid)
    for cohort in list(pool.cohorts.values()):
        ray.kill(cohort)
    assert rounds_of(grid) == dict.fromkeys(range(DEVICES), 2)
    assert restarts() == 2


def test_a_state_that_did_not_change_is_not_written_again(grid_of):
    grid = grid_of(plain_apps.hoarder(), DEVICES)
    rounds_of(grid)
    before = {node: kept.reference for node, kept in grid._states._kept.items()}
    assert rounds_of(grid, keep=True) == dict.fromkeys(range(DEVICES), 1)
    assert {node: kept.reference for node, kept in grid._states._kept.items()} == before


def test_a_device_asked_now_and_then_keeps_its_state(grid_of):
    grid = grid_of(plain_apps.hoarder(), DEVICES)
    rounds_of(grid)
    rounds_of(grid, devices=5)
    assert rounds_of(grid) == {device: 3 if device < 5 else 2 for device in range(DEVICES)}


def test_old_states_are_released(grid_of):
    grid = grid_of(plain_apps.hoarder(), DEVICES)
    used = []
    for _ in range(50):
        rounds_of(grid)
        used.append(capacity() - ray.available_resources().get("object_store_memory", 0.0))
    objects = {kept.reference for kept in grid._states._kept.values()}
    assert len(objects) <= DEVICES
    # One round's states are 2.4 MB; fifty would be 120.
    assert max(used[10:]) < max(used[:10]) + 4 * DEVICES * STATE_BYTES


def capacity():
    return sum(node["Resources"].get("object_store_memory", 0.0) for node in ray.nodes())
