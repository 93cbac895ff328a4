"""The multiple-choice knapsack: one option for each group, the most value within the budgets.

Exact by integer programming (HiGHS, Huangfu and Hall, Math. Prog. Comp. 2018) for small fleets.
The fast form relaxes the budgets with Lagrange multipliers (Fisher, Management Science 1981), where
each group chooses for itself, and then spends what is left: by the upgrade that brings the most per
cost, and for few groups also by exchanges of one group's share for another's.

Shape letters: g groups, o options, k budgets.
"""

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, vstack

from edgestill.allocation.forecast import Floats, Menu

Choice = NDArray[np.int64]
Method = Literal["auto", "exact", "fast"]

EXACT_OPTIONS = 256
"""Fleets with at most this many options in all are decided exactly."""

_BISECTIONS = 24
_SWEEPS = 3
_SAMPLE_GROUPS = 500
_SCALINGS = 8
_HIGHEST_SCALE = 1e6
_EXCHANGE_GROUPS = 64
_FAVOURED_GROUPS = 16


def choose(menu: Menu, method: Method = "auto") -> Choice:
    """Return the index of the option of each group [G].

    Budgets are kept wherever the cheapest options keep them; where even these do not, they are
    chosen.
    """
    cheapest = least(menu)
    scaled_gok = _scaled(menu)
    if scaled_gok.shape[2] == 0:
        return np.asarray(_masked(menu).argmax(axis=1))
    if (_sum(scaled_gok, cheapest) > 1.0).any():
        return cheapest
    if method == "auto":
        method = "exact" if menu.values_go.size <= EXACT_OPTIONS else "fast"
    return _exact(menu, scaled_gok) if method == "exact" else _fast(menu, scaled_gok, cheapest)


def least(menu: Menu) -> Choice:
    """Return each group's allowed option of the least cost over all budgets [G]."""
    cost_go = _scaled(menu).sum(axis=2)
    if not np.isfinite(menu.limits_k).any():
        cost_go = menu.costs_gok.sum(axis=2)
    return np.asarray(np.where(menu.allowed_go, cost_go, np.inf).argmin(axis=1))


def value_of(menu: Menu, choice: Choice) -> float:
    """Return the value of a choice."""
    return float(menu.values_go[np.arange(len(choice)), choice].sum())


def fits(menu: Menu, choice: Choice) -> bool:
    """Return whether a choice keeps every budget."""
    return bool((_sum(_scaled(menu), choice) <= 1.0).all())


def _scaled(menu: Menu) -> Floats:
    """Return the costs of the budgets that there are, as shares of them."""
    bounded = np.isfinite(menu.limits_k)
    scaled: Floats = menu.costs_gok[:, :, bounded] / menu.limits_k[bounded]
    return scaled


def _masked(menu: Menu) -> Floats:
    return np.where(menu.allowed_go, menu.values_go, -np.inf)


def _sum(costs_gok: Floats, choice: Choice) -> Floats:
    total: Floats = costs_gok[np.arange(len(choice)), choice].sum(axis=0)
    return total


def _exact(menu: Menu, costs_gok: Floats) -> Choice:
    groups, options = menu.values_go.shape
    ones = csr_array(np.kron(np.eye(groups), np.ones(options)))
    budgets = csr_array(costs_gok.reshape(groups * options, -1).T)
    budget_count = budgets.shape[0]
    lower = np.concatenate([np.ones(groups), np.full(budget_count, -np.inf)])
    upper = np.ones(groups + budget_count)
    scale = float(np.abs(menu.values_go).max()) or 1.0
    solved = milp(
        -menu.values_go.ravel() / scale,
        integrality=np.ones(groups * options),
        bounds=Bounds(0, menu.allowed_go.ravel().astype(float)),
        constraints=LinearConstraint(vstack([ones, budgets]), lower, upper),
        options={"mip_rel_gap": 0.0},
    )
    found: Choice = solved.x.reshape(groups, options).argmax(axis=1)
    return found


def _fast(menu: Menu, costs_gok: Floats, cheapest: Choice) -> Choice:
    values_go = _masked(menu)
    choice = _relaxed(values_go, costs_gok)
    if (_sum(costs_gok, choice) > 1.0).any():
        choice = cheapest
    if len(choice) > _EXCHANGE_GROUPS:
        return _filled(values_go, costs_gok, choice)
    # Exchanges end where none helps, which depends on where they began.
    ends = [
        _exchanged(values_go, costs_gok, _filled(values_go, costs_gok, start))
        for start in (choice, cheapest, *_favouring(values_go, costs_gok, cheapest))
    ]
    return max(ends, key=lambda end: value_of(menu, end))


def _favouring(values_go: Floats, costs_gok: Floats, cheapest: Choice) -> Iterator[Choice]:
    """Yield for each of few groups the choice in which it has the best that fits beside the least.

    Where groups are few, one of them may be worth more than prices say.
    """
    if len(cheapest) > _FAVOURED_GROUPS:
        return
    for group in range(len(cheapest)):
        start = cheapest.copy()
        left_k = 1.0 - _sum(costs_gok, cheapest) + costs_gok[group, cheapest[group]]
        fitting_o = (costs_gok[group] <= left_k).all(axis=1)
        start[group] = np.where(fitting_o, values_go[group], -np.inf).argmax()
        yield start


def _relaxed(values_go: Floats, costs_gok: Floats) -> Choice:
    """Return what the groups choose under the lowest prices of the budgets that keep these.

    The prices' proportion is found on a sample of the groups if there are many, their common scale
    on all.
    """
    best = _answer(values_go, costs_gok, np.zeros(costs_gok.shape[2]))
    if (_sum(costs_gok, best) <= 1.0).all():
        return best
    stride = -(-len(values_go) // _SAMPLE_GROUPS)
    # Every stride-th group stands for that many.
    prices = _prices(values_go[::stride], costs_gok[::stride] * stride)
    low, high = 0.5, 2.0
    while (_sum(costs_gok, _answer(values_go, costs_gok, prices * high)) > 1.0).any():
        low, high = high, high * 4.0
        if high > _HIGHEST_SCALE:
            break
    for _ in range(_SCALINGS):
        middle = 0.5 * (low + high)
        answer = _answer(values_go, costs_gok, prices * middle)
        if (_sum(costs_gok, answer) > 1.0).any():
            low = middle
        else:
            high = middle
    return _answer(values_go, costs_gok, prices * high)


def _prices(values_go: Floats, costs_gok: Floats) -> Floats:
    """Return a price of each budget [k], by bisection of one after the other, in turns."""
    budgets = costs_gok.shape[2]
    prices = np.zeros(budgets)
    highest = 4.0 * np.abs(values_go[np.isfinite(values_go)]).sum() + 1.0
    for _ in range(_SWEEPS if budgets > 1 else 1):
        for budget in range(budgets):
            low, high = 0.0, highest
            for _ in range(_BISECTIONS):
                # Far from the highest price at first, to come near in few steps.
                prices[budget] = 0.5 * (low + high) if low else high / 16.0
                answer = _answer(values_go, costs_gok, prices)
                if _sum(costs_gok, answer)[budget] > 1.0:
                    low = prices[budget]
                else:
                    high = prices[budget]
            prices[budget] = high
    return prices


def _answer(values_go: Floats, costs_gok: Floats, prices: Floats) -> Choice:
    return np.asarray((values_go - costs_gok @ prices).argmax(axis=1))


def _filled(values_go: Floats, costs_gok: Floats, choice: Choice) -> Choice:
    """Spend what is left on the upgrades that bring the most per cost, as long as one fits."""
    rows = np.arange(len(choice))
    choice = choice.copy()
    while True:
        left_k = 1.0 - _sum(costs_gok, choice)
        extra_go = values_go - values_go[rows, choice][:, None]
        cost_gok = costs_gok - costs_gok[rows, choice][:, None, :]
        fitting = (extra_go > 0) & (cost_gok <= left_k).all(axis=2)
        if not fitting.any():
            return choice
        worth_go = np.where(fitting, extra_go / np.maximum(cost_gok.max(axis=2), 1e-12), -np.inf)
        options = worth_go.argmax(axis=1)
        order = np.argsort(-worth_go[rows, options], kind="stable")
        order = order[fitting[order].any(axis=1)]
        together_k = cost_gok[order, options[order]].cumsum(axis=0)
        # Each fits alone, so at least the first is taken.
        fits_too = (together_k <= left_k).all(axis=1)
        taken = order[: len(order) if fits_too.all() else int(fits_too.argmin())]
        choice[taken] = options[taken]


def _exchanged(values_go: Floats, costs_gok: Floats, choice: Choice) -> Choice:
    """Improve by changing two groups at once, as long as that helps."""
    groups, options = values_go.shape
    rows = np.arange(groups)
    choice = choice.copy()
    owner = np.repeat(rows, options)
    while True:
        left_k = 1.0 - _sum(costs_gok, choice)
        extra = (values_go - values_go[rows, choice][:, None]).ravel()
        cost = (costs_gok - costs_gok[rows, choice][:, None, :]).reshape(groups * options, -1)
        pair = extra[:, None] + extra[None, :]
        open_ = (pair > 1e-12) & (owner[:, None] != owner[None, :])
        for budget in range(len(left_k)):
            open_ &= cost[:, None, budget] + cost[None, :, budget] <= left_k[budget]
        if not open_.any():
            return choice
        first, second = divmod(int(np.where(open_, pair, -np.inf).argmax()), groups * options)
        for one in (first, second):
            choice[owner[one]] = one % options
