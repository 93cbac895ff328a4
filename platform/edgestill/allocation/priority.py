"""A budget of the fleet shared out by the priority of modalities and by gain per cost.

Everyone begins with the least, the critical modality alone. Then levels are raised one step at a
time, in this order: first every step that stays with the critical modality, then those that add the
second, then the third (visual, audio, sensor); within one modality, the step that brings the most
expected gain per cost first. The first step that does not fit a budget ends it. So nobody gets a
second modality while somebody still lacks a step of the critical one, and a larger budget never
lowers anyone: the order does not depend on it.

Shape letters: g groups, o options, k budgets.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from edgestill.allocation.forecast import Floats, Forecasts, Menu, reach
from edgestill.allocation.knapsack import Choice, least
from edgestill.allocation.levels import Allocation, Level


class _Step(NamedTuple):
    """A raise of one group to an option; sorted by what comes first."""

    reach: int
    loss_per_cost: float
    group: int
    rung: int
    option: int


def share_out(forecasts: Forecasts, menu: Menu) -> Choice:
    """Return each group's option [G], whole levels only.

    The budgets are kept wherever the least options keep them.
    """
    leading = _leading(forecasts.options)
    menu = _whole_levels(menu, leading)
    choice = least(menu)
    spent_k = menu.costs_gok[np.arange(len(choice)), choice].sum(axis=0)
    if (spent_k > menu.limits_k).any():
        return choice
    price_go = _prices(menu)
    steps = [
        step
        for group, start in enumerate(choice.tolist())
        for step in _steps(forecasts.options, menu, price_go, group, start, leading)
    ]
    for step in sorted(steps):
        costs_ok = menu.costs_gok[step.group]
        after_k = spent_k + costs_ok[step.option] - costs_ok[choice[step.group]]
        if (after_k > menu.limits_k).any():
            break
        spent_k, choice[step.group] = after_k, step.option
    return choice


def _leading(options: tuple[Allocation, ...]) -> list[int]:
    """Return the index of each level's own allocation, best first."""
    levels = [option.level for option in options]
    return [levels.index(level) for level in Level if level in levels]


def _whole_levels(menu: Menu, leading: list[int]) -> Menu:
    allowed_go = np.zeros_like(menu.allowed_go)
    allowed_go[:, leading] = menu.allowed_go[:, leading]
    allowed_go[~allowed_go.any(axis=1), leading[-1]] = True
    return replace(menu, allowed_go=allowed_go)


def _prices(menu: Menu) -> Floats:
    """Return one cost of each option: its shares of what the dearest options would take, summed."""
    dearest_k = np.where(menu.allowed_go[:, :, None], menu.costs_gok, 0.0).max(axis=1).sum(axis=0)
    prices: Floats = (menu.costs_gok / np.maximum(dearest_k, np.finfo(float).tiny)).sum(axis=2)
    return prices


def _steps(
    options: tuple[Allocation, ...],
    menu: Menu,
    price_go: Floats,
    group: int,
    start: int,
    leading: list[int],
) -> Iterator[_Step]:
    """Yield a group's raises from its least option, each worth more than the one before.

    No raise comes before the one below it: its place is not better than that one's.
    """
    value_o, price_o, at = menu.values_go[group], price_go[group], start
    last = _Step(0, -np.inf, group, 0, start)
    for option in reversed(leading):
        if option >= at or not menu.allowed_go[group, option] or value_o[option] <= value_o[at]:
            continue
        added = max(price_o[option] - price_o[at], np.finfo(float).tiny)
        worth = -(value_o[option] - value_o[at]) / added
        far = max(last.reach, reach(options[option]))
        if far == last.reach:
            worth = max(worth, last.loss_per_cost)
        last = _Step(far, float(worth), group, last.rung + 1, option)
        at = option
        yield last
