"""In which order devices are asked to take part: by lot, or by what they are worth."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgestill.config import RunConfig
from edgestill.federation.roster.participants import by_lot
from edgestill.federation.roster.utility import Devices, Seen, Utility
from edgestill.federation.table import FigureTable
from edgestill.fleet import Fleet, profile
from edgestill.seeds import generator

COLUMNS = ("devices", "utility", "duration_s", "last_round", "times")


class Chooser:
    """Puts candidates in order by ``federation.selection`` and learns from each round."""

    def __init__(self, config: RunConfig, fleet: Fleet) -> None:
        self._seed = config.seed
        self._group_index = fleet.group_index
        self._speed_g = np.array([profile(one.profile).flops_per_s for one in fleet.groups])
        federation = config.federation
        self._utility: Utility | None = None
        if federation.selection == "utility":
            self._utility = Utility(config=federation.utility)

    def order(self, devices: Devices, *, wanted: int, round_number: int) -> Devices:
        """Return the candidates in the order in which they should be asked.

        Args:
            devices: ascending [n].
            wanted: about how many will be asked.
            round_number: of the round to come, from 1.
        """
        if self._utility is None:
            return by_lot(self._seed, round_number)(devices, wanted)
        return self._utility.order(
            devices,
            self._speed_g[self._group_index[devices]],
            wanted=wanted,
            round_number=round_number,
            rng=generator(self._seed, "participants", round_number=round_number),
        )

    def learn(self, round_number: int, asked: Devices, figures: FigureTable) -> None:
        """Take what a round showed of the devices whose participation ended in it."""
        if self._utility is not None:
            self._utility = self._utility.learn(round_number, asked, figures)

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return arrays and plain values for a checkpoint; nothing where nothing is learned."""
        if self._utility is None:
            return {}, {}
        arrays = {name: getattr(self._utility.seen, name) for name in COLUMNS}
        plain = {
            "achieved": list(self._utility.achieved),
            "quantile": self._utility.quantile,
            "rounds": self._utility.rounds,
        }
        return arrays, plain

    def restore(self, arrays: Mapping[str, NDArray[Any]], plain: Mapping[str, Any]) -> None:
        """Put back what :meth:`state` gave."""
        if self._utility is not None:
            self._utility = replace(
                self._utility,
                seen=Seen(**{name: arrays[name] for name in COLUMNS}),
                achieved=tuple(plain["achieved"]),
                quantile=plain["quantile"],
                rounds=plain["rounds"],
            )
