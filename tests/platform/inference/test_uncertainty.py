"""Standard errors are not too small, and the best of many is held to more than one alone."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from trade_off_case import way

from edgestill.inference.tradeoffs import Outcomes
from edgestill.inference.tradeoffs.uncertainty import (
    critical_value,
    difference_error,
    standard_error,
)


def test_a_standard_error_counts_alike_neighbours_once():
    values = np.random.default_rng(6).normal(size=400)
    assert standard_error(values) == pytest.approx(1 / 20, rel=0.3)
    assert standard_error(values.repeat(8)) == pytest.approx(standard_error(values), rel=0.3)


def test_a_difference_is_as_sure_as_its_blocks_and_its_figure_of_merit():
    """Of a mean the jackknife gives the usual error; where one way always wins there is none."""
    rng = np.random.default_rng(7)
    right = rng.random((2, 400))
    outcomes = Outcomes(
        edge=way("edge", right[0], 0, 10.0, 0.0),
        features=[],
        whole_input=way("input", right[1], 400, 10.0, 100.0),
    )
    edge, whole = np.zeros(400, np.int64), np.ones(400, np.int64)
    found = difference_error(outcomes, whole, edge)
    assert found == pytest.approx(standard_error(right[1] - right[0]), rel=1e-6)
    assert difference_error(outcomes, edge, edge) == 0.0
    ranked = replace(outcomes, score=lambda chosen, places: float(chosen[places].max()))
    assert difference_error(ranked, whole, edge) == 0.0


def test_one_lead_is_held_to_its_own_quantile_and_the_best_of_many_to_more():
    leads = np.random.default_rng(8).normal(size=(200, 400))
    alone = critical_value([leads[:1]], confidence=0.95)
    assert alone == pytest.approx(stats.t.ppf(0.95, 99), abs=0.15)
    assert critical_value([leads[[0] * 50]], confidence=0.95) == pytest.approx(alone)
    many = critical_value([leads], confidence=0.95)
    assert many == pytest.approx(stats.t.ppf(0.95 ** (1 / 200), 99), abs=0.3)
    assert critical_value(np.split(leads, 10), confidence=0.95) == pytest.approx(many)
    assert critical_value([np.zeros((3, 400))], confidence=0.95) == 0.0
    assert critical_value([], confidence=0.95) == 0.0
    assert critical_value([np.ones((3, 4))], confidence=0.95) == np.inf


def test_chance_alone_takes_the_best_of_many_beyond_it_as_seldom_as_was_asked():
    """Inputs are right or wrong, and each thing is shown eight times."""
    rng, beyond = np.random.default_rng(9), 0
    for seed in range(300):
        way_a, way_b = rng.integers(0, 2, (2, 20, 100)).repeat(8, axis=2)
        leads = (way_a - way_b).astype(float)
        found = (leads.mean(axis=1) / standard_error(leads)).max()
        beyond += found > critical_value([leads], confidence=0.95, seed=seed)
    assert 5 <= beyond <= 27
