"""What each option would take of each group and bring, foretold before a round.

Shape letters: g groups, o options, k budgets (uplink bytes, energy).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from edgestill.allocation.levels import PRIORITY, Allocation, Level, allocation_of
from edgestill.config import BudgetConfig, LevelsConfig

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

BITS = (16, 8, 4)
SETTLED = (0.5, 1.5)
"""A round's budget stays within these shares of the usual one, whatever the earlier ones took."""

ASKED = (1.0, 0.5, 0.25)
"""Shares of a group's devices that may be asked in a round, of those that its level would ask."""

IN_TIME_RATIO = 0.95
"""An option is admissible if at least this share of a group's devices is foretold to be in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecasts:
    """Every group's options; figures are of one device that takes part.

    Attributes:
        groups: names, G of them.
        options: what a device may be given, O of them, best first; the same for all groups.
        devices_g: how many devices of a group can be asked.
        duration_s_go: the time that a device takes.
        in_time_ratio_go: the share of the devices that meet the deadline, 0..1.
        energy_j_go: the energy above idle that a device spends.
        uplink_bytes_go: what a device sends at most.
        gain_go: what a device's update is worth once it is in time; only ratios mean anything.
        saved_k: what earlier rounds left of their budgets, or took beyond them if negative.
    """

    groups: tuple[str, ...]
    options: tuple[Allocation, ...]
    devices_g: Floats
    duration_s_go: Floats
    in_time_ratio_go: Floats
    energy_j_go: Floats
    uplink_bytes_go: Floats
    gain_go: Floats
    saved_k: Floats = field(default_factory=lambda: np.zeros(2))

    def figures(self, group: int, option: int) -> dict[str, float]:
        """Return what an option is foretold to take of a device of a group, for the report."""
        return {
            "duration_s": float(self.duration_s_go[group, option]),
            "energy_j": float(self.energy_j_go[group, option]),
            "in_time_ratio": float(self.in_time_ratio_go[group, option]),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Menu:
    """A multiple-choice knapsack: one option for each group, within the budgets of the fleet.

    Attributes:
        values_go: expected gain of a whole group.
        costs_gok: what a whole group takes of each budget.
        allowed_go: which options may be chosen; at least one of each group.
        limits_k: the budgets, inf without one.
    """

    values_go: Floats
    costs_gok: Floats
    allowed_go: Bools
    limits_k: Floats


def options_of(config: LevelsConfig, kinds: Sequence[str]) -> tuple[Allocation, ...]:
    """Return every option, best first: each level whole, then with less of what it lets spend.

    That is fewer devices, epochs and bits.
    """
    return tuple(
        replace(most, participation=most.participation * asked, epochs=epochs, bits=bits)
        for most in (allocation_of(config, level, kinds) for level in Level)
        for asked in ASKED
        for epochs in range(most.epochs, 0, -1)
        for bits in BITS
        if bits <= most.bits
    )


def reach(option: Allocation) -> int:
    """Return how far down the order of modalities an option reaches; 0 is the critical one."""
    return max(PRIORITY.index(kind) for kind in PRIORITY if kind in option.modalities)


def menu_of(
    forecasts: Forecasts,
    ceilings: Mapping[str, Level],
    held: Mapping[str, Allocation],
    budget: BudgetConfig,
) -> Menu:
    """Return the options that the groups' signals and the deadline allow.

    A group's worth grows with the square root of how many of its devices are asked, as the standard
    error of a mean falls. The last option is there for a group that has no other: nobody is sent
    away.

    Args:
        forecasts: of all groups.
        ceilings: the level that each group's own signals allow at most.
        held: what is not to change, of groups whose signals are in doubt.
        budget: of the whole fleet.
    """
    participation_o = np.array([option.participation for option in forecasts.options])
    devices_g1 = forecasts.devices_g[:, None]
    asked_go = devices_g1 * participation_o
    costs = [forecasts.uplink_bytes_go * asked_go, forecasts.energy_j_go * asked_go]
    return Menu(
        values_go=forecasts.gain_go
        * forecasts.in_time_ratio_go
        * devices_g1
        * np.sqrt(participation_o),
        costs_gok=np.stack(costs, axis=2),
        allowed_go=_allowed(forecasts, ceilings, held),
        limits_k=_limits(budget, forecasts.saved_k),
    )


def _limits(budget: BudgetConfig, saved_k: Floats) -> Floats:
    """Return the round's budgets [k]: an account is settled, but never by more than that."""
    usual_k = np.array([one or math.inf for one in (budget.uplink_bytes, budget.energy_j)])
    low, high = SETTLED
    return np.where(
        np.isfinite(usual_k), (usual_k + saved_k).clip(low * usual_k, high * usual_k), usual_k
    )


def _allowed(
    forecasts: Forecasts, ceilings: Mapping[str, Level], held: Mapping[str, Allocation]
) -> Bools:
    """Return which options each group may be given [G, O]."""
    severities = np.array([option.level.severity for option in forecasts.options])
    bounds = np.array([ceilings[group].severity for group in forecasts.groups])
    below_go = severities >= bounds[:, None]
    allowed_go: Bools = below_go & (forecasts.in_time_ratio_go >= IN_TIME_RATIO)
    for group, allocation in held.items():
        row = forecasts.groups.index(group)
        same = np.array([option.key == allocation.key for option in forecasts.options])
        if (same & below_go[row]).any():
            allowed_go[row] = same & below_go[row]
    allowed_go[~allowed_go.any(axis=1), -1] = True
    return allowed_go
