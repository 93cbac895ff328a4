"""Rounds with a common start: pick, send, and wait until the round closes."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from flwr.serverapp import Grid
from numpy.typing import NDArray

from edgestill.allocation import Allocation
from edgestill.federation.aggregation.collect import Collected, collect
from edgestill.federation.local_grid import exchange
from edgestill.federation.roster.chooser import Chooser
from edgestill.federation.roster.members import Devices, Members
from edgestill.federation.roster.participants import Greet, Pick, pick
from edgestill.federation.rounds.outgoing import Dispatcher
from edgestill.federation.rounds.played import Played
from edgestill.fleet import Fleet
from edgestill.models import Arrays


@dataclass(frozen=True, slots=True, kw_only=True)
class SynchronousRounds:
    """Trains rounds that all participants begin together.

    Attributes:
        greet: asks devices for their hello.
        started: is told round and number of participants.
    """

    grid: Grid
    dispatcher: Dispatcher
    fleet: Fleet
    members: Members
    chooser: Chooser
    greet: Greet
    started: Callable[[int, int], None]

    def play(
        self, round_number: int, allocations: Mapping[str, Allocation], arrays: Arrays
    ) -> Played:
        """Train a round from the present model; nobody takes part if nobody can."""
        config = self.dispatcher.world.config
        picked = pick(
            config.federation,
            self.fleet,
            self.members,
            allocations,
            seed=config.seed,
            round_number=round_number,
            order=partial(self._order, round_number),
            greet=self.greet,
        )
        self.started(round_number, len(picked.participants))
        return self._train(round_number, picked, arrays)

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return nothing: between rounds nobody is under way."""
        return {}, {}

    def restore(self, arrays: Mapping[str, NDArray[Any]], plain: Mapping[str, Any]) -> None:
        """Take up nothing."""

    def _order(self, round_number: int, devices: Devices, wanted: int) -> Devices:
        return self.chooser.order(devices, wanted=wanted, round_number=round_number)

    def _train(self, round_number: int, picked: Pick, arrays: Arrays) -> Played:
        world = self.dispatcher.world
        if not picked.participants:
            return Played(
                participants=[],
                collected=collect([], {}, shapes={}, fingerprint=0),
                class_counts=np.zeros(world.dataset.classes, np.int64),
                duration_s=0.0,
            )
        outgoing = self.dispatcher.outgoing(round_number, picked, self.members, arrays)
        replies = exchange(self.grid, outgoing.messages, world.config.federation.timeout_s)
        collected = collect(
            replies,
            {p.node_id: p.device for p in picked.participants},
            shapes={name: array.shape for name, array in arrays.items()},
            fingerprint=world.fingerprint,
        )
        return Played(
            participants=picked.participants,
            collected=collected,
            class_counts=outgoing.class_counts,
            duration_s=_duration_s(collected, outgoing.closes_after_s),
        )


def _duration_s(collected: Collected, closes_after_s: float) -> float:
    """Return when the last answer came, or when the round closed."""
    slowest = float(collected.figures.column("total-s").max(initial=0.0))
    return slowest if math.isinf(closes_after_s) else min(slowest, closes_after_s)
