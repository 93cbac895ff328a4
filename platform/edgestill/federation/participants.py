"""Who takes part in a round, and until when their answers count."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edgestill.allocation import Allocation
from edgestill.config import FederationConfig
from edgestill.fleet import Fleet, Vitals
from edgestill.knowledge import Summary
from edgestill.seeds import derive_seed, generator

PARTICIPATION_RANGE = 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A device that said hello: its node, its number of samples, its noised summary if any.

    ``vitals`` are what a real device reads of its machine; None for a simulated one.
    """

    node_id: int
    examples: int
    summary: Summary | None
    summary_bytes: int
    vitals: Vitals | None = None


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
    members: Mapping[int, Member],
    allocations: Mapping[str, Allocation],
    *,
    seed: int,
    round_number: int,
) -> Pick:
    """Pick a round's participants, seeded.

    Out of the reachable devices with data, each takes part with its level's participation
    probability; of these the configured fraction is wanted, and over-selection adds to it
    (Bonawitz et al., MLSys 2019, section 2.2).
    """
    reachable = fleet.available(fleet.time_s)
    willing = [
        device
        for device, member in sorted(members.items())
        if member.examples
        and reachable[device]
        and _willing(allocations[fleet.group_of(device)], seed, round_number, device)
    ]
    wanted = min(len(willing), max(1, round(config.fraction * len(willing))))
    drawn = min(len(willing), math.ceil(wanted * (1.0 + config.over_selection)))
    rng = generator(seed, "participants", round_number=round_number)
    chosen = sorted(rng.permutation(willing)[:drawn].tolist())
    participants = [
        Participant(
            device=device,
            node_id=members[device].node_id,
            allocation=allocations[fleet.group_of(device)],
            vitals=fleet.vitals(device, fleet.time_s),
        )
        for device in chosen
    ]
    return Pick(participants=participants, wanted=wanted)


def closing_time_s(
    config: FederationConfig, picked: Pick, foretold_s: Callable[[Participant], float]
) -> float:
    """Return the virtual seconds after which a round closes; infinite when it waits for all.

    With over-selection the round closes when the wanted number is foretold to have answered; the
    deadline holds in any case.
    """
    deadline = math.inf if config.deadline_s is None else config.deadline_s
    if len(picked.participants) <= picked.wanted:
        return deadline
    times = sorted(map(foretold_s, picked.participants))
    return min(deadline, times[picked.wanted - 1])


def _willing(allocation: Allocation, seed: int, round_number: int, device: int) -> bool:
    if allocation.participation >= 1.0:
        return True
    draw = derive_seed(seed, "participation", round_number=round_number, device=device)
    return draw < allocation.participation * PARTICIPATION_RANGE
