"""Federations of a few tiny devices in this process."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from edgestill.config import RunConfig, digest
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
