"""How near the fast form comes to the exact one, and how long a decision takes."""

import math
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from edgestill.allocation import (
    Decision,
    Forecasts,
    GroupSignals,
    Level,
    Menu,
    Snapshot,
    choose,
    decide,
    epoch_gain,
    level_fidelity,
    menu_of,
    options_of,
    precision,
    value_of,
)
from edgestill.config import AllocationConfig, BudgetConfig

KINDS = ("visual", "audio", "sensor")
DEVICES = 10_000
GROUPS = 100


def gaps_to_exact(menus: Iterable[Menu]) -> dict[str, Any]:
    """Return the largest and the mean relative gap of the fast form's value to the exact one's."""
    gaps = []
    for menu in menus:
        exact = value_of(menu, choose(menu, "exact"))
        gaps.append(1.0 - value_of(menu, choose(menu, "fast")) / exact)
    return {
        "largest_ratio": max(gaps),
        "mean_ratio": statistics.fmean(gaps),
        "instances": len(gaps),
    }


def random_menus(instances: int) -> Iterator[Menu]:
    """Yield instances of 2 to 200 groups, under scarce and ample budgets, one or two of them.

    Every other one is a random fleet's forecasts, as a round meets them; in the rest values and
    costs are drawn at random, alike in nothing but that some option always fits.
    """
    rng = np.random.default_rng(11)
    for index in range(instances):
        groups = round(math.exp(rng.uniform(math.log(2), math.log(200))))
        yield _fleet_menu(rng, groups) if index % 2 else _free_menu(rng, groups)


def timings(*, repeats: int) -> dict[str, float]:
    """Return median milliseconds for 10,000 devices, in 100 groups and each on its own.

    ``decide`` is the whole decision from a snapshot with forecasts, ``choose`` its knapsack alone.
    """
    rng = np.random.default_rng(12)
    figures = {}
    for groups in (GROUPS, DEVICES):
        forecasts = fleet_forecasts(rng, groups, devices=DEVICES / groups)
        config = _config(forecasts, share=0.05)
        menu = menu_of(forecasts, dict.fromkeys(forecasts.groups, Level.HIGH), {}, config.budget)
        snapshot = _snapshot(forecasts, rng)
        before = decide(config, KINDS, snapshot, None)
        figures[f"decide_{groups}_groups_ms"] = _median_ms(
            _deciding(config, snapshot, before), repeats
        )
        figures[f"choose_{groups}_groups_ms"] = _median_ms(_choosing(menu), repeats)
    return figures


def fleet_forecasts(rng: np.random.Generator, groups: int, *, devices: float) -> Forecasts:
    """Return the forecasts of a random fleet: speeds and links over two decades, random losses."""
    options = options_of(AllocationConfig().levels, KINDS)
    worth = [
        level_fidelity(o, len(KINDS)) * epoch_gain(o.epochs) * precision(o.bits) for o in options
    ]
    work = np.array([sum(o.modalities.values()) * o.width**2 * o.epochs for o in options])
    sent = np.array([o.width**2 * o.bits * len(o.modalities) for o in options])
    speed, link = 10.0 ** rng.uniform(-1, 1, (2, groups, 1))
    duration_s = work / speed + 0.02 * sent / link
    return Forecasts(
        groups=tuple(f"group{index}" for index in range(groups)),
        options=options,
        devices_g=np.full(groups, devices),
        duration_s_go=duration_s,
        in_time_ratio_go=1.0 / (1.0 + (duration_s / 3.0) ** 8),
        energy_j_go=duration_s * rng.uniform(0.3, 4.0, (groups, 1)),
        uplink_bytes_go=np.tile(2000.0 * sent, (groups, 1)),
        gain_go=rng.lognormal(0.0, 0.7, (groups, 1)) * worth,
    )


def _fleet_menu(rng: np.random.Generator, groups: int) -> Menu:
    forecasts = fleet_forecasts(rng, groups, devices=float(rng.integers(1, 200)))
    levels = list(Level)
    ceilings = {
        g: levels[i] for g, i in zip(forecasts.groups, rng.integers(0, 4, groups), strict=True)
    }
    config = _config(forecasts, share=rng.uniform(0.02, 0.9), bytes_too=bool(rng.integers(2)))
    return menu_of(forecasts, ceilings, {}, config.budget)


def _free_menu(rng: np.random.Generator, groups: int) -> Menu:
    options, budgets = int(rng.integers(2, 13)), int(rng.integers(1, 3))
    costs_gok = rng.uniform(0.0, 1.0, (groups, options, budgets))
    costs_gok[:, -1] *= 0.1
    least, most = costs_gok[:, -1].sum(axis=0), costs_gok.max(axis=1).sum(axis=0)
    return Menu(
        values_go=rng.uniform(0.0, 1.0, (groups, options)),
        costs_gok=costs_gok,
        allowed_go=np.ones((groups, options), bool),
        limits_k=least + rng.uniform(0.02, 0.8) * (most - least),
    )


def _config(forecasts: Forecasts, *, share: float, bytes_too: bool = True) -> AllocationConfig:
    """Return the predictive policy with a share of what the dearest options would take."""
    most = forecasts.devices_g[:, None]
    energy_j = float((forecasts.energy_j_go * most).max(axis=1).sum()) * share
    uplink = float((forecasts.uplink_bytes_go * most).max(axis=1).sum()) * share
    budget = BudgetConfig(energy_j=energy_j, uplink_bytes=uplink if bytes_too else None)
    return AllocationConfig(policy="predictive", budget=budget)


def _snapshot(forecasts: Forecasts, rng: np.random.Generator) -> Snapshot:
    signals = {
        group: GroupSignals(
            cpu_ratio=cpu, free_memory_bytes=1e9, battery_ratio=1.0, temperature_c=30.0
        )
        for group, cpu in zip(
            forecasts.groups, rng.uniform(0, 1, len(forecasts.groups)), strict=True
        )
    }
    return Snapshot(round_number=2, time_s=0.0, groups=signals, forecasts=forecasts)


def _deciding(
    config: AllocationConfig, snapshot: Snapshot, before: Decision
) -> Callable[[], object]:
    return lambda: decide(config, KINDS, snapshot, before)


def _choosing(menu: Menu) -> Callable[[], object]:
    return lambda: choose(menu, "fast")


def _median_ms(work: Callable[[], object], repeats: int) -> float:
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        taken.append(1000.0 * (time.perf_counter() - started))
    return statistics.median(taken)
