"""Flower's strategies, by Flower's names, over updates that cover different parts of the model.

Strategies that average see the element-wise mean as one reply, so that their own server step (Adam,
Yogi) works on it unmodified. Robust strategies need each reply: the model is cut into regions that
were trained by the same devices, and the strategy aggregates each region from those devices.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, Message, MetricRecord, RecordDict
from flwr.serverapp import strategy as flower
from numpy.typing import NDArray

from edgestill.config import FederationConfig
from edgestill.errors import ConfigurationError
from edgestill.federation.aggregation.update import Aggregate, Update
from edgestill.federation.messages import Reduce
from edgestill.models import Arrays

STRATEGIES: Mapping[str, tuple[type[flower.FedAvg], Reduce]] = {
    "FedAvg": (flower.FedAvg, "sum"),
    "FedProx": (flower.FedProx, "sum"),
    "FedAdam": (flower.FedAdam, "sum"),
    "FedYogi": (flower.FedYogi, "sum"),
    "FedMedian": (flower.FedMedian, "each"),
    "FedTrimmedAvg": (flower.FedTrimmedAvg, "each"),
    "Krum": (flower.Krum, "each"),
}
"""Name to Flower's class and whether replies may be summed on their way."""


def make_strategy(config: FederationConfig) -> flower.FedAvg:
    """Build the configured strategy with its own options.

    Raises:
        ConfigurationError: an option that the strategy does not have, or refuses.
    """
    kind, _ = STRATEGIES[config.strategy]
    options: dict[str, Any] = dict(config.options)
    try:
        return kind(
            # Who takes part is picked before the strategy is asked.
            fraction_train=1.0,
            fraction_evaluate=0.0,
            min_train_nodes=1,
            min_available_nodes=1,
            **options,
        )
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"federation.options: {config.strategy}: {error}") from error


def reply_mode(config: FederationConfig) -> Reduce:
    """Return whether replies may be summed on their way, or each must come by itself.

    Of a buffered round it is known only from the arrivals which updates belong to it.
    """
    return "each" if config.mode == "buffered" else STRATEGIES[config.strategy][1]


def aggregate_sum(
    strategy: flower.FedAvg,
    round_number: int,
    current: Arrays,
    total: Aggregate,
    request: Message,
) -> Arrays:
    """Take one server step from the sum of a round's updates."""
    change = total.mean({name: array.shape for name, array in current.items()})
    trained = {name: np.asarray(array + change[name]) for name, array in current.items()}
    return _step(strategy, round_number, [(trained, total.updates)], request)


def aggregate_each(
    strategy: flower.FedAvg,
    round_number: int,
    current: Arrays,
    updates: Sequence[Update],
    request: Message,
) -> Arrays:
    """Take one server step from single updates, region by region."""
    result = {name: array.copy() for name, array in current.items()}
    for devices, elements in _regions(current, updates).items():
        replies = [
            (_restricted(current, updates[device], elements), updates[device].examples)
            for device in devices
        ]
        for name, values in _step(strategy, round_number, replies, request).items():
            result[name].reshape(-1)[elements[name]] = values
    return result


def array_record(arrays: Arrays) -> ArrayRecord:
    """Return arrays as Flower's record; its strategies fail on scalars, so these get one axis."""
    return ArrayRecord({name: Array(np.atleast_1d(array)) for name, array in arrays.items()})


def optimizer_state(strategy: flower.FedAvg) -> dict[str, NDArray[Any]]:
    """Return the strategy's own moments as flat names to arrays, for a checkpoint."""
    moments = {slot: getattr(strategy, slot, None) or {} for slot in ("m_t", "v_t")}
    return {
        f"{slot}/{name}": array for slot, held in moments.items() for name, array in held.items()
    }


def restore_optimizer_state(strategy: flower.FedAvg, state: Mapping[str, NDArray[Any]]) -> None:
    """Put back what :func:`optimizer_state` gave."""
    for slot in ("m_t", "v_t"):
        held = {
            name.partition("/")[2]: array
            for name, array in state.items()
            if name.startswith(f"{slot}/")
        }
        if held:
            setattr(strategy, slot, held)


Elements = dict[str, NDArray[np.int64]]


def _regions(current: Arrays, updates: Sequence[Update]) -> dict[tuple[int, ...], Elements]:
    """Map each set of devices to the flat elements, by name, that exactly these trained."""
    regions: dict[tuple[int, ...], Elements] = defaultdict(dict)
    for name, array in current.items():
        blocks = sorted({u.delta[name].shape for u in updates if name in u.delta})
        cover = np.zeros(array.shape, np.int64)
        for bit, block in enumerate(blocks):
            cover[tuple(slice(length) for length in block)] |= 1 << bit
        for pattern in np.unique(cover[cover > 0]):
            inside = {block for bit, block in enumerate(blocks) if pattern >> bit & 1}
            devices = tuple(
                position
                for position, update in enumerate(updates)
                if name in update.delta and update.delta[name].shape in inside
            )
            regions[devices][name] = np.flatnonzero(cover == pattern)
    return regions


def _restricted(current: Arrays, update: Update, elements: Elements) -> Arrays:
    """Return the trained values of one device at the given elements."""
    values = {}
    for name, positions in elements.items():
        full = np.zeros(current[name].shape, np.float32)
        delta = update.delta[name]
        full[tuple(slice(length) for length in delta.shape)] = delta
        values[name] = (current[name] + full).reshape(-1)[positions]
    return values


def _step(
    strategy: flower.FedAvg,
    round_number: int,
    replies: Sequence[tuple[Arrays, int]],
    request: Message,
) -> Arrays:
    messages = [
        Message(
            RecordDict(
                {
                    "arrays": array_record(arrays),
                    "metrics": MetricRecord({"num-examples": weight}),
                }
            ),
            reply_to=request,
        )
        for arrays, weight in replies
    ]
    arrays, _ = strategy.aggregate_train(round_number, messages)
    if arrays is None:
        raise RuntimeError("the strategy gave no arrays for a round with replies")
    first = replies[0][0]
    return {
        name: array.numpy().astype(np.float32).reshape(np.shape(first[name]))
        for name, array in arrays.items()
    }
