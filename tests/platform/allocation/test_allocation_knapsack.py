"""The knapsack: budgets are kept, and the fast form is near the exact one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgestill.allocation import Menu, choose, fits, value_of


@st.composite
def menus(draw):
    """Any values and costs; the budgets lie between the least and the dearest, or do not bind."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    groups, options, budgets = draw(st.integers(1, 8)), draw(st.integers(1, 6)), 2
    costs = rng.uniform(0.1, 1.0, (groups, options, budgets))
    allowed = rng.random((groups, options)) < 0.8
    allowed[:, -1] = True
    share = draw(st.floats(0.0, 1.2))
    least = np.where(allowed[:, :, None], costs, np.inf).min(axis=1).sum(axis=0)
    limits = least + share * (costs.max(axis=1).sum(axis=0) - least)
    limits[draw(st.integers(0, 1))] = np.inf if draw(st.booleans()) else limits.max()
    return Menu(
        values_go=rng.uniform(0.0, 1.0, (groups, options)),
        costs_gok=costs,
        allowed_go=allowed,
        limits_k=limits,
    )


def by_trying(menu):
    """The best value of all combinations, None if none fits."""
    best = None
    for combination in np.ndindex(*[menu.values_go.shape[1]] * len(menu.values_go)):
        choice = np.array(combination)
        if menu.allowed_go[np.arange(len(choice)), choice].all() and fits(menu, choice):
            best = max(best or 0.0, value_of(menu, choice))
    return best


@settings(max_examples=150, deadline=None)
@given(menus(), st.sampled_from(["exact", "fast", "auto"]))
def test_a_choice_is_allowed_and_keeps_every_budget_that_the_cheapest_keep(menu, method):
    choice = choose(menu, method)
    assert menu.allowed_go[np.arange(len(choice)), choice].all()
    cost = (menu.costs_gok / menu.limits_k).sum(axis=2)
    cheapest = np.where(menu.allowed_go, cost, np.inf).argmin(axis=1)
    if fits(menu, cheapest):
        assert fits(menu, choice)
    else:
        assert (choice == cheapest).all()


@settings(max_examples=25, deadline=None)
@given(menus().filter(lambda menu: menu.values_go.shape[1] ** len(menu.values_go) <= 2000))
def test_the_exact_form_finds_what_trying_all_finds(menu):
    best = by_trying(menu)
    choice = choose(menu, "exact")
    if best is not None and fits(menu, choice):
        assert value_of(menu, choice) == pytest.approx(best, rel=1e-6)


@settings(max_examples=80, deadline=None)
@given(menus())
def test_the_fast_form_is_never_better_than_the_exact_one(menu):
    exact, fast = choose(menu, "exact"), choose(menu, "fast")
    if fits(menu, fast):
        assert value_of(menu, fast) <= value_of(menu, exact) * (1 + 1e-6) + 1e-9


def test_without_budgets_everyone_gets_the_best_that_is_allowed():
    menu = Menu(
        values_go=np.array([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0]]),
        costs_gok=np.ones((2, 3, 2)),
        allowed_go=np.array([[True, True, True], [False, True, True]]),
        limits_k=np.array([np.inf, np.inf]),
    )
    assert choose(menu).tolist() == [0, 1]


def test_many_groups_spend_nearly_all_of_a_budget():
    rng = np.random.default_rng(3)
    costs = np.sort(rng.uniform(0.1, 1.0, (5000, 6, 2)), axis=1)[:, ::-1]
    menu = Menu(
        values_go=np.sqrt(costs.sum(axis=2)),
        costs_gok=costs,
        allowed_go=np.ones((5000, 6), bool),
        limits_k=costs.sum(axis=(0, 1)) / 6 * 0.8,
    )
    choice = choose(menu, "fast")
    spent = costs[np.arange(5000), choice].sum(axis=0) / menu.limits_k
    assert fits(menu, choice)
    assert spent.max() > 0.999
