"""The choice of tier and rate: what arrives in time, who is faster, and what a level allows."""

from dataclasses import dataclass

import numpy as np
import pytest

from edgestill.allocation import Level, allocation_of
from edgestill.config import AllocationConfig, LevelsConfig
from edgestill.inference import gates
from edgestill.inference.gates.learned import features_of
from edgestill.inference.tiers import (
    VitalsLimits,
    arriving,
    dynamic,
    fastest_first,
    largest,
    limits_of,
    sufficient,
)
from edgestill.inference.tradeoffs import PricedPolicy, Worth

SIZES = (100, 400, 1600)
SURE = gates.Answers(probabilities_NK=np.array([[0.9, 0.1]]))
NEAR = gates.Link(bandwidth_bytes_per_s=10_000.0, round_trip_s=0.005, cloud_s=0.010)
FAR = gates.Link(bandwidth_bytes_per_s=50_000.0, round_trip_s=0.060, cloud_s=0.005)


def test_only_rates_that_some_tier_answers_in_time_are_offered():
    assert arriving([NEAR], SIZES, 0.06) == [0, 1]
    assert arriving([NEAR, FAR], SIZES, 0.1) == [0, 1, 2]
    assert arriving([NEAR, FAR], SIZES, 0.01) == []
    assert arriving([], SIZES, 1.0) == []


def test_the_nearer_tier_is_first_for_small_frames_and_the_faster_link_for_large_ones():
    assert fastest_first([NEAR, FAR], SIZES[0], 1.0) == [0, 1]
    assert fastest_first([NEAR, FAR], SIZES[2], 1.0) == [1, 0]
    assert fastest_first([NEAR, FAR], SIZES[2], 0.1) == [1]


def test_of_equals_the_first_given_comes_first():
    assert fastest_first([FAR, FAR], SIZES[0], 1.0) == [0, 1]


def test_load_sends_inputs_elsewhere():
    loaded = gates.Link(bandwidth_bytes_per_s=10_000.0, round_trip_s=0.005, cloud_s=0.2)
    assert fastest_first([loaded, FAR], SIZES[0], 1.0) == [1, 0]


@pytest.mark.parametrize(
    ("level", "top_rate", "share"),
    [("high", 3, 1.0), ("medium", 2, 1.0), ("low", 1, 1.0), ("critical", 1, 0.5)],
)
def test_a_level_bounds_the_rate_and_the_share(level, top_rate, share):
    allocation = allocation_of(LevelsConfig(), Level(level), ("visual",))
    limits = limits_of(allocation, 4)
    assert (limits.level, limits.top_rate, limits.share) == (level, top_rate, share)


def test_one_rate_is_left_at_every_level():
    for level in Level:
        assert limits_of(allocation_of(LevelsConfig(), level, ("visual",)), 1).top_rate == 0


@dataclass
class Vitals:
    battery_ratio: float = 1.0
    temperature_c: float = 30.0
    cpu_ratio: float = 0.99
    free_memory_bytes: float = 1.0


def test_the_limits_follow_battery_and_temperature_and_not_the_cpu():
    now, vitals = [0.0], Vitals()
    limits = VitalsLimits(4, lambda: vitals, clock=lambda: now[0])
    assert limits().level is Level.HIGH
    vitals.battery_ratio = 0.2
    assert limits().level is Level.HIGH  # read once a second
    now[0] = 1.0
    assert limits().level is Level.LOW
    vitals.battery_ratio, vitals.temperature_c, now[0] = 1.0, 80.0, 2.0
    assert limits().level is Level.CRITICAL
    vitals.temperature_c, now[0] = float("nan"), 3.0
    assert limits().level is Level.HIGH


def test_a_device_never_exceeds_the_level_that_it_was_given():
    limits = VitalsLimits(4, Vitals, config=AllocationConfig(level="low"))
    assert limits().level is Level.LOW


def priced(*, byte_price, places=(0, 1, 2, 3)):
    """Ways that are right with 0.5, 0.7, 0.8 and 0.9, whatever was answered."""
    right = np.array([0.5, 0.7, 0.8, 0.9])
    features = features_of(SURE).shape[1]
    worth = Worth(
        weights=np.zeros((4, features)),
        biases=np.log(right / (1.0 - right)),
        bytes_sent=np.array([0.0, *SIZES]),
        flops=np.zeros(4),
    )
    return PricedPolicy(worth=worth, byte_price=byte_price, flop_price=0.0, places=places)


def test_dynamic_takes_what_is_worth_most_among_what_arrives():
    free = dynamic(priced(byte_price=0.0))
    assert free(SURE, [0, 1, 2]) == 2
    assert free(SURE, [0, 1]) == 1
    assert dynamic(priced(byte_price=0.0004))(SURE, [0, 1, 2]) == 0
    assert dynamic(priced(byte_price=0.1))(SURE, [0, 1, 2]) is None
    assert dynamic(priced(byte_price=0.0, places=(0, 2)))(SURE, [0, 1, 2]) == 1


def test_the_lowest_rate_that_is_good_enough_is_sent():
    policy = sufficient((0.90, 0.955, 0.95, 0.96), kept=0.99)
    assert policy(SURE, [0, 1, 2, 3]) == 1
    assert policy(SURE, [0, 2]) == 2
    assert policy(SURE, [0]) == 0
    assert sufficient((0.5, 0.5), kept=1.0)(SURE, [0, 1]) == 0


def test_without_a_policy_the_highest_rate_is_sent():
    assert largest(SURE, [0, 2]) == 2
