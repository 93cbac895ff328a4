"""Oort's selection: who is sought out, who is tried, who is left alone."""

import math

import numpy as np
import pytest

from edgestill.config import UtilityConfig
from edgestill.federation.messages import DONE, LATE
from edgestill.federation.roster.utility import Seen, Utility, statistical_utilities, weighted_order
from edgestill.federation.table import FigureTable

EXPLOIT = UtilityConfig(exploration=0.0, least_exploration=0.0)


def row(loss=1.0, *, examples=10, total_s=1.0, done=1.0, status=DONE):
    figures = {
        "num-examples": examples,
        "total-s": total_s,
        "done-ratio": done,
        "status": status,
    }
    return figures if loss is None else {**figures, "loss-task": loss}


def learned(state, round_number, rows):
    asked = np.array(sorted(rows), np.int64)
    return state.learn(round_number, asked, FigureTable.of(rows))


def order(state, devices, *, wanted=5, round_number=2, seed=0, speed=None):
    devices = np.array(devices, np.int64)
    return state.order(
        devices,
        np.ones(len(devices)) if speed is None else np.array(speed, float),
        wanted=wanted,
        round_number=round_number,
        rng=np.random.default_rng(seed),
    ).tolist()


def first_counts(state, devices, *, wanted, draws=200, **options):
    counts = dict.fromkeys(devices, 0)
    for seed in range(draws):
        for device in order(state, devices, wanted=wanted, seed=seed, **options)[:wanted]:
            counts[device] += 1
    return counts


def test_utility_is_the_number_of_samples_times_the_loss():
    table = FigureTable.of({4: row(0.5, examples=20), 9: row(None), 11: row(2.0, examples=3)})
    assert statistical_utilities(table).tolist() == [10.0, 0.0, 6.0]


def test_every_order_holds_every_candidate_once():
    state = learned(Utility(config=UtilityConfig()), 1, {d: row(d / 10) for d in range(0, 30, 2)})
    for seed in range(5):
        assert sorted(order(state, range(30), seed=seed)) == list(range(30))
    assert order(state, []) == []


def test_devices_with_a_high_loss_are_preferred():
    rows = {device: row(4.0 if device < 5 else 0.4) for device in range(20)}
    state = learned(Utility(config=EXPLOIT), 1, rows)
    counts = first_counts(state, range(20), wanted=5)
    assert all(counts[device] == 200 for device in range(5))


def test_slow_devices_are_worth_less_by_the_square_of_what_they_take_too_long():
    rows = {device: row(1.0, total_s=10.0 if device < 10 else 1.0) for device in range(20)}
    state = learned(Utility(config=EXPLOIT), 1, rows)
    counts = first_counts(state, range(20), wanted=10)
    assert all(counts[device] == 0 for device in range(10))
    scores = state._scores(np.arange(20), 2)
    assert scores[0] / scores[10] == pytest.approx(0.01)


def test_a_device_that_was_stopped_counts_with_its_whole_time():
    rows = {0: row(None, total_s=2.0, done=0.25, status=LATE), 1: row(1.0, total_s=4.0)}
    state = learned(Utility(config=EXPLOIT), 1, rows)
    assert state.seen.duration_s.tolist() == [8.0, 4.0]
    assert state.seen.utility.tolist() == [0.0, 10.0]


def test_new_devices_get_their_share_of_every_beginning():
    config = UtilityConfig(exploration=0.5, exploration_decay=1.0)
    state = learned(Utility(config=config), 1, {device: row() for device in range(50)})
    for seed in range(5):
        asked = order(state, range(100), wanted=20, seed=seed)
        for length in (2, 10, 20, 60):
            assert sum(device >= 50 for device in asked[:length]) == length // 2


def test_exploration_decays_to_its_least_and_ends_with_the_unseen():
    state = Utility(config=UtilityConfig())
    shares = []
    for number in range(1, 101):
        shares.append(state._exploration())
        state = learned(state, number, {0: row()})
    assert shares[0] == 0.9
    assert shares[1] == pytest.approx(0.9 * 0.98)
    assert shares[99] == 0.2
    assert order(state, [0]) == [0]
    assert Utility(config=EXPLOIT)._exploration() == 0.0


def test_fast_devices_are_tried_first():
    speed = [10.0 if device < 5 else 0.1 for device in range(50)]
    counts = first_counts(Utility(config=UtilityConfig()), range(50), wanted=5, speed=speed)
    assert sum(counts[device] for device in range(5)) > 0.85 * 5 * 200


def test_who_was_not_asked_for_long_gains():
    state = learned(Utility(config=EXPLOIT), 1, {0: row(1.0), 1: row(1.0)})
    for number in range(2, 60):
        state = learned(state, number, {1: row(1.0)})
    old, fresh = state._scores(np.array([0, 1]), 60)
    assert old == pytest.approx(1.0 + math.sqrt(0.1 * math.log(60) / 1))
    assert fresh == pytest.approx(1.0 + math.sqrt(0.1 * math.log(60) / 59))


def test_an_outlier_counts_as_the_clip():
    rows = {device: row(1.0) for device in range(39)} | {39: row(1e6)}
    state = learned(Utility(config=EXPLOIT), 1, rows)
    scores = state._scores(np.arange(40), 1)
    assert scores.max() == scores.min()


def test_who_took_part_too_often_stands_at_the_end():
    state = Utility(config=UtilityConfig(most_participations=3, exploration=0.0))
    for number in range(1, 5):
        state = learned(state, number, {0: row(100.0), **({1: row(0.01)} if number == 1 else {})})
    assert order(state, [0, 1, 2])[-1] == 0


def test_the_pacer_grants_more_time_when_utility_falls():
    config = UtilityConfig(pacer_rounds=3)
    falling, rising = Utility(config=config), Utility(config=config)
    for number in range(1, 7):
        falling = learned(falling, number, {0: row(10.0 / number)})
        rising = learned(rising, number, {0: row(float(number))})
    assert falling.quantile == pytest.approx(0.35)
    assert rising.quantile == 0.3
    assert len(falling.achieved) == 6


def test_a_failure_leaves_the_utility_as_it_was_and_learning_changes_no_earlier_state():
    first = learned(Utility(config=EXPLOIT), 1, {3: row(2.0)})
    asked = np.array([3, 8], np.int64)
    second = first.learn(2, asked, FigureTable.of({}))
    assert second.seen.devices.tolist() == [3, 8]
    assert second.seen.utility.tolist() == [20.0, 0.0]
    assert second.seen.times.tolist() == [2, 1]
    assert first.seen.times.tolist() == [1]


def test_only_devices_that_were_asked_are_held():
    state = learned(Utility(config=EXPLOIT), 1, {99_999: row(), 5: row()})
    columns = [getattr(state.seen, name) for name in Seen.__slots__]
    assert sum(column.nbytes for column in columns) == 2 * 28


def test_weights_decide_how_likely_a_device_comes_first():
    weights = np.array([1.0, 3.0, 0.0])
    firsts = [weighted_order(weights, np.random.default_rng(seed)) for seed in range(2_000)]
    share = sum(one[0] == 1 for one in firsts) / 2_000
    # 0.75 expected; five standard deviations are 0.048.
    assert share == pytest.approx(0.75, abs=0.05)
    assert all(one[2] == 2 for one in firsts)
