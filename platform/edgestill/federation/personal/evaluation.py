"""The coordinator's half: ask devices for their trials after the last round, and sum them up."""

import logging
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from flwr.app import Message, MessageType, MetricRecord
from flwr.serverapp import Grid

from edgestill.errors import RunError
from edgestill.federation.aggregation.strategies import make_strategy
from edgestill.federation.coordination.run_state import RunState
from edgestill.federation.coordination.surroundings import Surroundings
from edgestill.federation.local_grid import exchange
from edgestill.federation.messages import METRICS
from edgestill.federation.personal.trial import GLOBAL, HELD_OUT, PERSONAL
from edgestill.federation.roster.members import Devices, Members
from edgestill.federation.roster.participants import Participant, participants_of
from edgestill.federation.rounds.dispatch import ModelFrames
from edgestill.federation.rounds.outgoing import Dispatcher
from edgestill.federation.world import World
from edgestill.fleet import Fleet
from edgestill.seeds import generator

log = logging.getLogger(__name__)

MOST_DEVICES = 1_024
"""Of a larger population so many are drawn."""

Trial = Mapping[str, float]


def evaluate_personally(
    grid: Grid, surroundings: Surroundings, state: RunState, members: Members
) -> dict[str, Any]:
    """Compare, on each device's held-out rows, the global student with the device's own.

    A personal student begins as the global one and is trained by its device on its own rows and the
    knowledge selected for it, for ``evaluation.personal_epochs``; nothing of it comes back but how
    often it was right. Asked are devices that took part, at the level of their group.

    Returns:
        ``final.personal`` of the report; empty where no device holds anything out.

    Raises:
        RunError: devices were asked and none answered.
    """
    world = surroundings.world
    asked = _devices(world, members)
    if not len(asked):
        return {}
    participants = _participants(world, state, members, asked)
    messages = _messages(surroundings, state, members, participants)
    replies = exchange(grid, messages, world.config.federation.timeout_s)
    trials, failure = _read(replies)
    if not trials:
        raise RunError(f"personal evaluation: none of {len(asked)} devices answered: {failure}")
    return summed_up(trials, asked=len(asked), epochs=world.config.evaluation.personal_epochs)


def summed_up(trials: Sequence[Trial], *, asked: int, epochs: int) -> dict[str, Any]:
    """Return the report's figures; each device counts once, however many rows it holds out."""
    columns = {
        student: np.array([trial[f"{student}-balanced-accuracy"] for trial in trials])
        for student in (GLOBAL, PERSONAL)
    }
    gain = columns[PERSONAL] - columns[GLOBAL]
    return {
        "devices": len(trials),
        "devices_without_answer": asked - len(trials),
        "held_out_samples": int(sum(trial[HELD_OUT] for trial in trials)),
        "epochs": epochs,
        **{
            f"{student}_student": {
                "accuracy": float(np.mean([trial[f"{student}-accuracy"] for trial in trials])),
                "balanced_accuracy": float(column.mean()),
                "balanced_accuracy_lowest_tenth": float(np.quantile(column, 0.1)),
            }
            for student, column in columns.items()
        },
        "balanced_accuracy_gain": float(gain.mean()),
        "devices_better": int((gain > 0).sum()),
        "devices_worse": int((gain < 0).sum()),
        "by_device": {
            "device": [int(trial["device"]) for trial in trials],
            **{f"{student}_balanced_accuracy": c.tolist() for student, c in columns.items()},
        },
        "downlink_bytes": {
            kind: int(sum(trial[f"downlink-{kind}-bytes"] for trial in trials))
            for kind in ("model", "knowledge")
        },
    }


def _devices(world: World, members: Members) -> Devices:
    """Return who is asked, ascending: members with rows to train on and rows held out."""
    if world.held_out is None:
        return np.empty(0, np.int64)
    size_of = world.held_out.size_of
    met = members.with_data(np.fromiter(members, np.int64))
    able = np.array([device for device in met.tolist() if size_of(device)], np.int64)
    drawn = generator(world.config.seed, "personal/devices").permutation(able)[:MOST_DEVICES]
    return np.sort(drawn)


def _participants(
    world: World, state: RunState, members: Members, devices: Devices
) -> list[Participant]:
    """Return devices at their groups' last levels, as fresh as they were when the run began.

    What they are compared on is no part of the fleet's life: no battery is too low for it.
    """
    if state.decision is None:
        raise RunError("personal evaluation: no round was played, so no group has a level")
    fleet = Fleet(world.config.fleet, world.config.seed)
    epochs = world.config.evaluation.personal_epochs
    allocations = {
        group: replace(allocation, epochs=epochs)
        for group, allocation in state.decision.allocations.items()
    }
    return participants_of(fleet, members, allocations, devices)


def _messages(
    surroundings: Surroundings,
    state: RunState,
    members: Members,
    participants: Sequence[Participant],
) -> Iterator[Message]:
    world = surroundings.world
    dispatcher = Dispatcher(
        world=world,
        source=surroundings.source,
        strategy=make_strategy(world.config.federation),
        reduce="each",
        knowledge_at_fog=surroundings.knowledge_at_fog,
    )
    step = dispatcher.step(
        state.round_number + 1,
        ModelFrames(world, state.arrays),
        members,
        closes_after_s=math.inf,
    )
    for message, _ in step.messages(participants):
        message.metadata.message_type = MessageType.EVALUATE
        yield message


def _read(replies: Iterable[Message]) -> tuple[list[Trial], str]:
    """Return the trials in order of device, and why the first of the others has none."""
    trials: list[Trial] = []
    failure = ""
    for reply in replies:
        if reply.has_error():
            failure = failure or (str(reply.error.reason).strip().splitlines() or ["?"])[-1]
            log.warning("a device's personal trial failed: %s", failure)
            continue
        record = reply.content[METRICS]
        if isinstance(record, MetricRecord) and HELD_OUT in record:
            trials.append({name: float(value) for name, value in record.items()})  # type: ignore[arg-type]
        else:
            failure = failure or "too little memory for its level"
    return sorted(trials, key=lambda trial: trial["device"]), failure
