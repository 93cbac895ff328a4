"""Federations of a few tiny devices in this process."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from flwr.serverapp import Grid

from edgestill.config import RunConfig, digest
from edgestill.data.owned import Dealt
from edgestill.federation import (
    BankSource,
    CheckpointFolder,
    Coordinator,
    LocalGrid,
    NoSource,
    Surroundings,
    enter_run,
    make_client_app,
    teach,
    world_of,
)
from edgestill.seeds import derive_seed
from edgestill.telemetry import MetricStore


@pytest.fixture(autouse=True, scope="session")
def one_torch_thread():
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def in_a_run():
    enter_run(1)


class Rows:
    """Keeps what it is shown."""

    def __init__(self) -> None:
        self.started: list[tuple[int, int]] = []
        self.rows: list[dict[str, Any]] = []

    def vitals_exported(self) -> None:
        pass

    def round_started(self, round_number: int, participants: int) -> None:
        self.started.append((round_number, participants))

    def round_ended(self, row: Mapping[str, Any]) -> None:
        self.rows.append(dict(row))


_banks: dict[str, Any] = {}


def source_of(config: RunConfig):
    """The teacher of a configuration, trained once in a test session."""
    world = world_of(config)
    if config.knowledge.selection == "none":
        return NoSource(world.dataset.classes)
    if digest(config) not in _banks:
        lessons = teach(world)
        while True:
            try:
                next(lessons)
            except StopIteration as end:
                _banks[digest(config)] = end.value.bank
                break
    return BankSource(_banks[digest(config)], config.knowledge, world.fingerprint)


def federate(
    config: RunConfig,
    *,
    folder=None,
    resume=False,
    at_most=None,
    app=None,
    grid=None,
    store=None,
    observer=None,
    signals=None,
):
    """Run a federation and give its state, grid, store, members and observer."""
    world = world_of(config)
    store, rows = store or MetricStore(max_device_series=8), observer or Rows()
    kept = None if folder is None else CheckpointFolder(folder, digest(config))
    if grid is None:
        grid = LocalGrid(app or make_client_app(config), config.fleet.devices)
    coordinator = Coordinator(
        grid,
        Surroundings(
            world=world,
            source=source_of(config),
            store=store,
            observer=rows,
            checkpoints=kept,
            signals=signals,
        ),
    )
    state = coordinator.run(kept.newest(at_most=at_most) if resume else None)
    return SimpleNamespace(
        state=state, rows=state.rows, store=store, members=coordinator.members, seen=rows, grid=grid
    )


class Foreign(Grid):
    """A grid that is not ours to whom it is given: its nodes must be asked who they are."""

    def __init__(self, grid) -> None:
        self._grid = grid

    def set_run(self, run) -> None:
        self._grid.set_run(run)

    @property
    def run(self):
        return self._grid.run

    def create_message(self, *args, **options):
        return self._grid.create_message(*args, **options)

    def get_node_ids(self):
        return reversed(self._grid.get_node_ids())

    def push_messages(self, messages):
        return self._grid.push_messages(messages)

    def pull_messages(self, message_ids):
        return self._grid.pull_messages(message_ids)

    def send_and_receive(self, messages, *, timeout=None):
        # As Flower's, which checks all messages before it sends any.
        assert all(message.metadata.dst_node_id > 1 for message in messages)
        return list(self._grid.send_and_receive(messages, timeout=timeout))


@pytest.fixture(scope="session")
def foreign():
    return Foreign


def take_data(world, device):
    """Leave a device of a world without any sample."""
    owned = world.owned
    kept = [owned[d] if d != device else owned[d][:0] for d in range(len(owned))]
    rows = np.concatenate(kept).astype(np.uint32)
    offsets = np.concatenate(([0], np.cumsum([len(one) for one in kept])))
    object.__setattr__(world, "owned", Dealt(rows=rows, offsets=offsets))


@pytest.fixture(name="take_data", scope="session")
def take_data_fixture():
    return take_data


@pytest.fixture(name="federate", scope="session")
def federate_fixture():
    return federate


@pytest.fixture(name="source_of", scope="session")
def source_of_fixture():
    return source_of


@pytest.fixture(scope="session")
def plain_config(tiny_config):
    """Without a teacher: what most tests of the rounds need."""

    def build(**overrides):
        knowledge = {"selection": "none", **overrides.pop("knowledge", {})}
        return tiny_config(knowledge=knowledge, **overrides)

    return build


@pytest.fixture
def start_of():
    """The parameters that a run of a configuration begins with."""

    def start(config):
        return world_of(config).family.initial_arrays(derive_seed(config.seed, "student"))

    return start
