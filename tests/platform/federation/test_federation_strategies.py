"""Flower's strategies over updates that cover different parts of the model."""

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp import strategy as flower

from edgestill.config import FederationConfig
from edgestill.errors import ConfigurationError
from edgestill.federation import STRATEGIES, Aggregate, Update, combine, make_strategy
from edgestill.federation.aggregation.strategies import (
    aggregate_each,
    aggregate_sum,
    array_record,
    optimizer_state,
    reply_mode,
    restore_optimizer_state,
)
from edgestill.federation.rounds.dispatch import SelectedNodes, strategy_messages

F32 = np.float32


def request():
    message = Message(RecordDict(), 2, "train")
    message.metadata.__dict__["_message_id"] = "asked"
    return message


def made(name, **options):
    return make_strategy(FederationConfig(strategy=name, options=options))


def configure(strategy, round_number, arrays):
    (message,) = strategy_messages(strategy, round_number, array_record(arrays), [2])
    return message.content["config"]


def total_of(updates):
    return combine([Aggregate.of(update) for update in updates])


CURRENT = {
    "w": np.arange(6, dtype=F32).reshape(2, 3),
    "audio": np.array([10, 20], F32),
    "gate": np.array(2.0, F32),
    "nobody": np.array([7.0], F32),
}


def partial_updates():
    """Five devices: wide ones, narrow ones, and one with audio alone."""
    return [
        Update(delta={"w": np.full((2, 3), 1, F32), "audio": np.array([1, 2], F32)}, examples=10),
        Update(delta={"w": np.full((2, 3), 4, F32), "gate": np.array(0.5, F32)}, examples=30),
        Update(delta={"w": np.full((1, 2), 8, F32), "gate": np.array(-1, F32)}, examples=20),
        Update(delta={"w": np.array([[-5.0, 2.0]], F32)}, examples=20),
        Update(delta={"audio": np.array([3, -2], F32)}, examples=30),
    ]


def test_averaging_element_by_element_by_hand():
    strategy = made("FedAvg")
    configure(strategy, 1, CURRENT)
    stepped = aggregate_sum(strategy, 1, CURRENT, total_of(partial_updates()), request())
    wide = (1 * 10 + 4 * 30) / 40
    first = (1 * 10 + 4 * 30 + 8 * 20 - 5 * 20) / 80
    second = (1 * 10 + 4 * 30 + 8 * 20 + 2 * 20) / 80
    np.testing.assert_allclose(
        stepped["w"], CURRENT["w"] + [[first, second, wide], [wide, wide, wide]], rtol=1e-6
    )
    np.testing.assert_allclose(stepped["audio"], [10 + (10 + 90) / 40, 20 + (20 - 60) / 40])
    assert stepped["gate"].shape == ()
    np.testing.assert_allclose(stepped["gate"], 2 + (15 - 20) / 50)
    assert stepped["nobody"] == CURRENT["nobody"]
    assert all(array.dtype == F32 for array in stepped.values())


def columns(name):
    """Each element of an array, with the changes of the devices that trained it."""
    for place in np.ndindex(CURRENT[name].shape):
        trained = [
            update.delta[name][place]
            for update in partial_updates()
            if name in update.delta
            and all(i < n for i, n in zip(place, update.delta[name].shape, strict=True))
        ]
        yield place, np.array(trained, F32)


def trimmed(changes, beta):
    cut = int(beta * len(changes))
    return np.sort(changes)[cut : len(changes) - cut].mean()


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("FedMedian", {}, np.median),
        ("FedTrimmedAvg", {"beta": 0.3}, lambda changes: trimmed(changes, 0.3)),
        ("FedTrimmedAvg", {"beta": 0.0}, np.mean),
    ],
)
def test_robust_strategies_by_element(name, options, expected):
    strategy = made(name, **options)
    configure(strategy, 1, CURRENT)
    stepped = aggregate_each(strategy, 1, CURRENT, partial_updates(), request())
    for array in CURRENT:
        for place, changes in columns(array):
            change = expected(changes) if len(changes) else 0.0
            np.testing.assert_allclose(stepped[array][place], CURRENT[array][place] + change)
            assert stepped[array].shape == CURRENT[array].shape
    assert stepped["w"] is not CURRENT["w"]


def krum(points, malicious):
    """The index of the point with the smallest sum of distances to its n - f - 2 nearest."""
    distances = np.square(points[:, None] - points[None]).sum(axis=-1)
    closest = max(1, len(points) - malicious - 2)
    scores = [np.sort(np.delete(row, i))[:closest].sum() for i, row in enumerate(distances)]
    return int(np.argmin(scores))


def test_krum_takes_one_devices_values_in_each_region():
    rng = np.random.default_rng(3)
    current = {"w": np.zeros((2, 3), F32), "b": np.zeros(2, F32)}
    wide = [
        Update(
            delta={"w": rng.normal(size=(2, 3)).astype(F32), "b": rng.normal(size=2).astype(F32)},
            examples=5,
        )
        for _ in range(5)
    ]
    wide[1] = Update(delta={"w": np.full((2, 3), 90, F32), "b": np.full(2, 90, F32)}, examples=900)
    narrow = [
        Update(delta={"w": rng.normal(size=(2, 2)).astype(F32)}, examples=5) for _ in range(2)
    ]
    strategy = made("Krum", num_malicious_nodes=1)
    configure(strategy, 1, current)
    stepped = aggregate_each(strategy, 1, current, [*wide, *narrow], request())
    # The left block was trained by seven, the right column and the bias by the wide ones together.
    left = np.array([update.delta["w"][:, :2].ravel() for update in [*wide, *narrow]])
    np.testing.assert_allclose(stepped["w"][:, :2].ravel(), left[krum(left, 1)])
    right = np.array([[*update.delta["w"][:, 2], *update.delta["b"]] for update in wide])
    chosen = krum(right, 1)
    assert chosen != 1
    np.testing.assert_allclose(stepped["w"][:, 2], wide[chosen].delta["w"][:, 2])
    np.testing.assert_allclose(stepped["b"], wide[chosen].delta["b"])


@pytest.mark.parametrize("name", ["FedMedian", "FedTrimmedAvg", "Krum"])
def test_one_reply_alone_is_taken_whole(name):
    strategy = made(name)
    update = Update(delta={"w": np.full((2, 3), 0.25, F32)}, examples=3)
    stepped = aggregate_each(strategy, 1, CURRENT, [update], request())
    np.testing.assert_allclose(stepped["w"], CURRENT["w"] + 0.25)
    np.testing.assert_array_equal(stepped["audio"], CURRENT["audio"])


def flowers_own(kind, current, rounds_of_updates, **options):
    """Flower's own strategy on whole models, one reply for each device."""
    strategy = kind(fraction_evaluate=0.0, min_train_nodes=1, min_available_nodes=1, **options)
    arrays = {name: array.copy() for name, array in current.items()}
    view = SelectedNodes([2])
    for round_number, updates in enumerate(rounds_of_updates, start=1):
        list(strategy.configure_train(round_number, array_record(arrays), ConfigRecord(), view))
        replies = [
            Message(
                RecordDict(
                    {
                        "arrays": ArrayRecord(
                            {n: Array(np.atleast_1d(arrays[n] + u.delta[n])) for n in arrays}
                        ),
                        "metrics": MetricRecord({"num-examples": u.examples}),
                    }
                ),
                reply_to=request(),
            )
            for u in updates
        ]
        stepped, _ = strategy.aggregate_train(round_number, replies)
        arrays = {n: a.numpy().astype(F32).reshape(current[n].shape) for n, a in stepped.items()}
    return arrays


def full_updates(seed, count=4):
    rng = np.random.default_rng(seed)
    return [
        Update(
            delta={name: np.array(rng.normal(size=a.shape), F32) for name, a in CURRENT.items()},
            examples=int(rng.integers(1, 50)),
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("FedAvg", {}),
        ("FedProx", {"proximal_mu": 0.3}),
        ("FedAdam", {"eta": 0.05, "tau": 0.01}),
        ("FedYogi", {"eta": 0.05, "beta_2": 0.95}),
        ("FedMedian", {}),
        ("FedTrimmedAvg", {"beta": 0.25}),
        ("Krum", {"num_malicious_nodes": 1}),
    ],
)
def test_on_full_coverage_three_rounds_are_flowers_own(name, options):
    rounds = [full_updates(seed) for seed in (1, 2, 3)]
    kind, mode = STRATEGIES[name]
    assert kind is getattr(flower, name)
    strategy, arrays = made(name, **options), CURRENT
    for round_number, updates in enumerate(rounds, start=1):
        configure(strategy, round_number, arrays)
        if mode == "sum":
            arrays = aggregate_sum(strategy, round_number, arrays, total_of(updates), request())
        else:
            arrays = aggregate_each(strategy, round_number, arrays, updates, request())
    expected = flowers_own(kind, CURRENT, rounds, **options)
    for array in CURRENT:
        np.testing.assert_allclose(arrays[array], expected[array], rtol=2e-5, atol=2e-5)
        assert arrays[array].shape == CURRENT[array].shape


@pytest.mark.parametrize("name", ["FedAdam", "FedYogi", "FedAvg"])
def test_moments_can_be_put_into_a_new_strategy(name):
    rounds = [full_updates(seed) for seed in (1, 2)]
    first, arrays = made(name), CURRENT
    configure(first, 1, arrays)
    arrays = aggregate_sum(first, 1, arrays, total_of(rounds[0]), request())
    second = made(name)
    restore_optimizer_state(second, optimizer_state(first))
    results = []
    for strategy in (first, second, made(name)):
        configure(strategy, 2, arrays)
        results.append(aggregate_sum(strategy, 2, arrays, total_of(rounds[1]), request()))
    assert all(np.array_equal(results[0][n], results[1][n]) for n in CURRENT)
    forgetful = all(np.array_equal(results[0][n], results[2][n]) for n in CURRENT)
    assert forgetful == (name == "FedAvg")


def test_fedprox_tells_devices_its_mu():
    config = configure(made("FedProx", proximal_mu=0.3), 4, CURRENT)
    assert config["proximal-mu"] == 0.3
    assert config["server-round"] == 4


def test_a_strategy_configures_exactly_the_picked_nodes():
    nodes = [9, 4, 30]
    messages = strategy_messages(made("FedAvg"), 1, array_record(CURRENT), nodes)
    assert [message.metadata.dst_node_id for message in messages] == nodes


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("FedAvg", {"eta": 1}, "FedAvg: .*eta"),
        ("FedTrimmedAvg", {"beta": 0.5}, "beta"),
        # Who takes part is federation.fraction's to say.
        ("FedAvg", {"fraction_train": 0.5}, "fraction_train"),
    ],
)
def test_options_that_a_strategy_refuses_are_named(name, options, reason):
    with pytest.raises(ConfigurationError, match=rf"^federation\.options: .*{reason}"):
        made(name, **options)


def test_only_robust_strategies_need_each_reply():
    modes = {name: reply_mode(FederationConfig(strategy=name)) for name in STRATEGIES}
    each = {name for name, mode in modes.items() if mode == "each"}
    assert each == {"FedMedian", "FedTrimmedAvg", "Krum"}
