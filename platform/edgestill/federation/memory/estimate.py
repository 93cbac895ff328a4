"""How much memory a run will take, foretold from its configuration.

Estimates, meant to be within a factor of two: constants measured on Linux with CPU torch, the rest
counted from the model, the data and the numbers of devices. What the process that asks holds
already, such as the data set, is in none of them.
"""

import math
import os

import numpy as np

from edgestill.allocation import Level, allocation_of
from edgestill.config import RunConfig
from edgestill.federation.aggregation.strategies import reply_mode
from edgestill.federation.memory.footprint import Footprint, Term
from edgestill.federation.world import World
from edgestill.models import Variant

FLOAT_BYTES, SUM_BYTES = 4, 8

PROCESS_BYTES = 240e6
"""A Python process with torch, Ray and Flower imported, and its part of what it shares."""

COHORT_BYTES = 350e6
"""A cohort's process when it has trained, without the devices of a batch."""

TEACHER_BYTES = 550e6
"""The teacher's process when it has learned."""

RAY_BYTES = 400e6
"""Ray's own processes on one node."""

COORDINATOR_BYTES = 120e6
"""What Ray's client and a first round add to the process of a run."""

COORDINATOR_DEVICE_BYTES, COHORT_DEVICE_BYTES = 75, 30
"""Of each device of the population: its battery, temperature, group and hello, in arrays."""

PARTICIPANT_BYTES = 1_000
"""Of each device of a round at the coordinator: its pick, its vitals and its figures."""

MODEL_COPIES = 10
"""The model at the coordinator: present, coded, summed, averaged, stepped and evaluated."""

UPDATE_COPIES = 5
"""Of each update where a strategy needs each: decoded, cut up, as a message, and stacked."""

DEVICES_AT_ONCE = 64
"""That a cohort is given together at most."""

LANE_DEVICES = 32
"""Whose activations are held at once at most."""

DEVICE_COPIES = 6
"""Of the model for each device of a batch: received, trained, gradient, momentum, change, coded."""

BACKWARD_COPIES = 2
"""Of the activations: those of the forward pass, and their gradients."""

BATCHES_PER_COHORT = 2
"""Under way."""

MESSAGE_BYTES = 2_000

OBJECT_STORE_SHARE = 0.3
"""Of the free memory: what Ray's object store takes at most before it writes to disk."""


def estimate_footprint(world: World, *, free_bytes: float, cpus: int | None = None) -> Footprint:
    """Return what a run on this machine will take.

    Args:
        world: of the run; its data may be loaded, nothing of the run exists yet.
        free_bytes: what processes can still take.
        cpus: of the machine, for as many cohorts where the configuration names no number.
    """
    config = world.config
    cohorts = config.engine.cohorts or cpus or os.cpu_count() or 1
    whole = _largest_variant(world)
    model = FLOAT_BYTES * float(whole.cost.parameters)
    states = min(OBJECT_STORE_SHARE * free_bytes, _states_bytes(config, model))
    terms = (
        _fixed("Ray", RAY_BYTES),
        _fixed("other actors", _others(world)),
        _fixed("object store", states),
        *_coordinator(config, model),
        *_cohorts(world, whole, model, cohorts),
    )
    return Footprint(config=config, terms=terms, free_bytes=free_bytes)


def _fixed(where: str, size_bytes: float) -> Term:
    return Term(where=where, setting="", noun="", units=1, bytes_each=size_bytes)


def _of_cohorts(where: str, bytes_each: float, cohorts: int) -> Term:
    return Term(
        where=where, setting="engine.cohorts", noun="cohorts", units=cohorts, bytes_each=bytes_each
    )


def _coordinator(config: RunConfig, model: float) -> tuple[Term, ...]:
    return (
        _fixed("coordinator", COORDINATOR_BYTES + MODEL_COPIES * model),
        Term(
            where="coordinator",
            setting="fleet.devices",
            noun="devices",
            units=config.fleet.devices,
            bytes_each=COORDINATOR_DEVICE_BYTES,
        ),
        Term(
            where="coordinator",
            setting="federation.concurrency" if _buffered(config) else "federation.fraction",
            noun="participants",
            units=participants(config),
            bytes_each=PARTICIPANT_BYTES + _update_bytes(config, model),
        ),
    )


def _cohorts(world: World, whole: Variant, model: float, cohorts: int) -> tuple[Term, ...]:
    sums = SUM_BYTES / FLOAT_BYTES * model
    in_flight = BATCHES_PER_COHORT * (MESSAGE_BYTES * DEVICES_AT_ONCE + sums)
    own = COHORT_BYTES + _batch_bytes(world, whole, model)
    return (
        _of_cohorts("cohorts", own, cohorts),
        _of_cohorts("object store", in_flight, cohorts),
        Term(
            where="cohorts",
            setting="fleet.devices",
            noun="devices",
            units=world.config.fleet.devices,
            bytes_each=COHORT_DEVICE_BYTES * cohorts,
        ),
    )


def participants(config: RunConfig) -> int:
    """Return how many devices are asked in a round at most, or train at any time."""
    federation, devices = config.federation, config.fleet.devices
    if _buffered(config):
        return min(devices, federation.concurrency + federation.buffer_size)
    wanted = max(1, round(federation.fraction * devices))
    return min(devices, math.ceil(wanted * (1.0 + federation.over_selection)))


def _largest_variant(world: World) -> Variant:
    """Return the part of the model that the best level trains."""
    allocation = allocation_of(world.config.allocation.levels, Level.HIGH, world.dataset.kinds)
    return world.family.variant(allocation.modalities, allocation.width)


def _update_bytes(config: RunConfig, model: float) -> float:
    return UPDATE_COPIES * model if reply_mode(config.federation) == "each" else 0.0


def _others(world: World) -> float:
    """Return the telemetry, a fog, and the teacher with its public samples and as much again."""
    public = len(world.dataset.splits["public"])
    return 2 * PROCESS_BYTES + TEACHER_BYTES + 2 * public * _sample_bytes(world)


def _batch_bytes(world: World, whole: Variant, model: float) -> float:
    """Return what a cohort holds of the devices that it is given together."""
    config = world.config
    knowledge = 0 if config.knowledge.selection == "none" else config.knowledge.samples_per_round
    owned = [world.owned.size_of(d) for d in range(min(len(world.owned), DEVICES_AT_ONCE))]
    samples = float(np.mean(owned)) + knowledge
    device = DEVICE_COPIES * model + samples * _sample_bytes(world)
    rows = config.training.batch_size * (2 if knowledge else 1)
    lane = LANE_DEVICES * rows * BACKWARD_COPIES * whole.cost.activation_bytes
    return DEVICES_AT_ONCE * device + lane + 8.0 * len(world.dataset)


def _sample_bytes(world: World) -> float:
    return float(
        sum(FLOAT_BYTES * math.prod(one.shape) for one in world.dataset.modalities.values())
    )


def _states_bytes(config: RunConfig, model: float) -> float:
    """Return what the devices that will ever be asked keep between rounds."""
    training = config.training
    moments = 2 if training.optimizer == "adam" else 1
    state = model * (bool(training.personal) + moments * training.keep_optimizer)
    return state * min(config.fleet.devices, participants(config) * config.federation.rounds)


def _buffered(config: RunConfig) -> bool:
    return config.federation.mode == "buffered"
