"""Buffered rounds and utility selection: what goes together, and what one line says where not."""

import pytest

from edgestill.config import dump, resolve
from edgestill.errors import ConfigurationError

BUFFERED = "federation.mode=buffered"
UTILITY = "federation.selection=utility"


def complaint(*overrides):
    with pytest.raises(ConfigurationError) as caught:
        resolve({}, overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("strategy", ["FedMedian", "FedTrimmedAvg", "Krum"])
def test_strategies_that_need_each_update_are_refused(strategy):
    assert complaint(BUFFERED, f"federation.strategy={strategy}") == (
        f"configuration: federation: strategy {strategy} needs the updates of one round side by "
        "side; mode buffered takes FedAvg, FedProx, FedAdam, FedYogi"
    )


@pytest.mark.parametrize("strategy", ["FedAvg", "FedProx", "FedAdam", "FedYogi"])
def test_strategies_that_sum_are_taken(strategy):
    config = resolve({}, [BUFFERED, f"federation.strategy={strategy}"])
    assert config.federation.mode == "buffered"


@pytest.mark.parametrize(
    ("key", "value", "left_at"),
    [("fraction", 0.5, "1"), ("over_selection", 0.3, "0"), ("interval_s", 60, "0")],
)
def test_what_belongs_to_a_common_start_is_refused(key, value, left_at):
    said = complaint(BUFFERED, f"federation.{key}={value}")
    assert f"federation: {key} belongs to mode synchronous" in said
    assert f"leave it at {left_at} and set concurrency and buffer_size" in said
    assert resolve({}, [f"federation.{key}={value}"]).federation.mode == "synchronous"


def test_a_buffer_that_could_never_fill_is_refused():
    said = complaint(BUFFERED, "federation.buffer_size=65")
    assert "federation.buffer_size (65) must not exceed fleet.devices (64)" in said
    assert resolve({}, ["federation.buffer_size=65"]).federation.buffer_size == 65


def test_utility_selection_is_refused_beside_private_training():
    private = ("privacy.sample_clip_norm=1.0", "privacy.sample_noise_multiplier=1.0")
    said = complaint(UTILITY, *private)
    assert "federation.selection utility reads each device's loss on its own samples" in said
    assert "take selection uniform" in said


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("federation.concurrency=0", "greater than or equal to 1"),
        ("federation.buffer_size=0", "greater than or equal to 1"),
        ("federation.staleness_exponent=-1", "greater than or equal to 0"),
        ("federation.selection=best", "'uniform' or 'utility'"),
        ("federation.mode=async", "'synchronous' or 'buffered'"),
        ("federation.utility.exploration=1.5", "less than or equal to 1"),
        ("federation.utility.exploration_decay=0", "greater than 0"),
        ("federation.utility.epsilon=0.1", "unknown key; known here: exploration"),
    ],
)
def test_a_wrong_value_names_its_key(override, reason):
    said = complaint(override)
    assert said.startswith(f"configuration: {override.partition('=')[0]}: ")
    assert reason in said


def test_the_resolved_tree_holds_the_papers_defaults():
    utility = resolve({}).federation.utility.model_dump()
    assert utility == {
        "exploration": 0.9,
        "exploration_decay": 0.98,
        "least_exploration": 0.2,
        "straggler_penalty": 2.0,
        "pacer_rounds": 20,
        "most_participations": 10,
    }
    assert "staleness_exponent: 0.5" in dump(resolve({}))
