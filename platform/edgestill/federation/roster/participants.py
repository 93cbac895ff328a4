"""Who takes part in a round, and until when their answers count."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from edgestill.allocation import Allocation
from edgestill.config import FederationConfig
from edgestill.federation.roster.members import Devices, Members
from edgestill.fleet import Fleet, Vitals
from edgestill.seeds import derive_seed, generator

PARTICIPATION_RANGE = 2**63

Order = Callable[[Devices, int], Devices]
"""Puts candidates in the order in which they should be asked, given how many will be."""

Greet = Callable[[Devices], None]
"""Asks devices for their hello."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """A device that was picked for a round."""

    device: int
    node_id: int
    allocation: Allocation
    vitals: Vitals


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """The picked devices in order of device, and how many answers the round wants."""

    participants: list[Participant]
    wanted: int


def pick(
    config: FederationConfig,
    fleet: Fleet,
    members: Members,
    allocations: Mapping[str, Allocation],
    *,
    seed: int,
    round_number: int,
    order: Order | None = None,
    greet: Greet | None = None,
) -> Pick:
    """Pick a round's participants, seeded; by lot where no other order is given.

    Out of the reachable devices, each takes part with its level's participation probability; of
    these the configured fraction is wanted, and over-selection adds to it (Bonawitz et al., MLSys
    2019, section 2.2). Who turns out to have no data, or does not say hello, is passed over for the
    next in order.
    """
    willing = willing_devices(fleet, members, allocations, seed=seed, round_number=round_number)
    wanted = min(len(willing), max(1, round(config.fraction * len(willing))))
    drawn = min(len(willing), math.ceil(wanted * (1.0 + config.over_selection)))
    ordered = (order or by_lot(seed, round_number))(willing, drawn)
    chosen = np.sort(_first_with_data(ordered, drawn, members, greet))
    return Pick(
        participants=participants_of(fleet, members, allocations, chosen),
        wanted=min(wanted, len(chosen)),
    )


def willing_devices(
    fleet: Fleet,
    members: Members,
    allocations: Mapping[str, Allocation],
    *,
    seed: int,
    round_number: int,
) -> Devices:
    """Return who can be reached, may have data and is willing at its level, ascending."""
    candidates = np.flatnonzero(fleet.available(fleet.time_s) & members.candidates())
    willing = np.ones(len(candidates), np.bool_)
    groups = fleet.group_index[candidates]
    for number in np.unique(groups).tolist():
        allocation = allocations[fleet.groups[number].name]
        if allocation.participation < 1.0:
            own = np.flatnonzero(groups == number)
            devices = candidates[own].tolist()
            willing[own] = [is_willing(allocation, seed, round_number, one) for one in devices]
    return candidates[willing]


def participants_of(
    fleet: Fleet,
    members: Members,
    allocations: Mapping[str, Allocation],
    devices: Devices,
    *,
    time_s: float | None = None,
) -> list[Participant]:
    """Return devices as participants in the order given, with their vitals then (now if None)."""
    by_group = [allocations.get(group.name) for group in fleet.groups]
    groups = fleet.group_index[devices].tolist()
    vitals = fleet.vitals_many(devices, fleet.time_s if time_s is None else time_s)
    return [
        Participant(
            device=device,
            node_id=members.node_of(device),
            allocation=cast(Allocation, by_group[group]),
            vitals=one,
        )
        for device, group, one in zip(devices.tolist(), groups, vitals, strict=True)
    ]


def _first_with_data(
    ordered: Devices, drawn: int, members: Members, greet: Greet | None
) -> Devices:
    """Return the first ``drawn`` that have data, asking strangers whether they have any."""
    chosen, asked = np.empty(0, np.int64), 0
    while len(chosen) < drawn and asked < len(ordered):
        batch = ordered[asked : asked + drawn - len(chosen)]
        if greet is not None:
            greet(batch)
        chosen = np.concatenate([chosen, members.with_data(batch)])
        asked += len(batch)
    return chosen


def closing_time_s(
    config: FederationConfig, picked: Pick, foretold_s: Callable[[], NDArray[np.float64]]
) -> float:
    """Return the virtual seconds after which a round closes; infinite when it waits for all.

    With over-selection the round closes when the wanted number is foretold to have answered; the
    deadline holds in any case.
    """
    deadline = math.inf if config.deadline_s is None else config.deadline_s
    if len(picked.participants) <= picked.wanted:
        return deadline
    times = np.sort(foretold_s())
    return min(deadline, float(times[picked.wanted - 1]))


def by_lot(seed: int, round_number: int) -> Order:
    """Return the order in which every device is as likely as any other to come first."""
    rng = generator(seed, "participants", round_number=round_number)
    return lambda devices, _: rng.permutation(devices)


def is_willing(allocation: Allocation, seed: int, round_number: int, device: int) -> bool:
    """Return whether a device takes part, by its level's participation probability."""
    if allocation.participation >= 1.0:
        return True
    draw = derive_seed(seed, "participation", round_number=round_number, device=device)
    return draw < allocation.participation * PARTICIPATION_RANGE
