"""What an app's strategy came to, which apps keep to themselves.

A ServerApp returns nothing, and the result of its strategy is a local variable of the app. So as
long as the app runs, the one function of Flower that starts a strategy of each kind notes what it
returns: ``Strategy.start``, and ``start_grid`` for the older strategies.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast
from unittest.mock import patch

import numpy as np
from flwr.app import ArrayRecord, MetricRecord
from flwr.common import parameters_to_ndarrays
from flwr.server import History, Server, ServerConfig
from flwr.server.compat import start_grid
from flwr.server.server import init_defaults
from flwr.serverapp import server_app
from flwr.serverapp.strategy import Result, Strategy
from numpy.typing import NDArray

MOST_THREADS = 256
"""The older server has one thread for each client that it waits for."""

Metrics = dict[str, Any]
ByRound = dict[int, Metrics]
NUMPY = "numpy.ndarray"


@dataclass(slots=True, kw_only=True)
class Recording:
    """The newest result of the app's strategies.

    Attributes:
        strategy: its class.
        arrays: final arrays by name, where they are numpy's; None where there are none.
        train: aggregated metrics of training by round.
        evaluate: aggregated metrics of the clients' evaluation by round.
        server: metrics of the server's own evaluation by round; 0 is before the first.
    """

    strategy: str = ""
    arrays: dict[str, NDArray[Any]] | None = None
    train: ByRound = field(default_factory=dict)
    evaluate: ByRound = field(default_factory=dict)
    server: ByRound = field(default_factory=dict)


@contextmanager
def recorded(devices: int) -> Iterator[Recording]:
    """Note what strategies come to inside the block.

    Args:
        devices: of the fleet; the older server is given a thread for each, within reason.
    """
    recording = Recording()
    start = Strategy.start

    def started(self: Strategy, *arguments: Any, **named: Any) -> Result:
        recording.strategy = type(self).__name__
        result = start(self, *arguments, **named)
        _take_result(recording, result)
        return result

    def grid_started(
        *, server: Any, config: Any, strategy: Any, client_manager: Any, **named: Any
    ) -> History:
        server, config = init_defaults(server, config, strategy, client_manager)
        recording.strategy = type(server.strategy).__name__
        if getattr(server, "max_workers", None) is None:
            server.set_max_workers(min(devices, MOST_THREADS))
        history = start_grid(server=server, config=cast(ServerConfig, config), **named)
        _take_history(recording, server, history)
        return history

    with (
        patch.object(Strategy, "start", started),
        patch.object(server_app, "start_grid", grid_started),
    ):
        yield recording


def _take_result(recording: Recording, result: Result) -> None:
    recording.arrays = _arrays(result.arrays)
    recording.train = _by_round(result.train_metrics_clientapp)
    recording.evaluate = _by_round(result.evaluate_metrics_clientapp)
    recording.server = _by_round(result.evaluate_metrics_serverapp)


def _by_round(records: Mapping[int, MetricRecord]) -> ByRound:
    return {number: dict(record) for number, record in records.items()}


def _arrays(record: ArrayRecord) -> dict[str, NDArray[Any]] | None:
    if not record or any(array.stype != NUMPY for array in record.values()):
        return None
    return {key: array.numpy() for key, array in record.items()}


def _take_history(recording: Recording, server: Server, history: History) -> None:
    parameters = server.parameters
    if parameters.tensors and parameters.tensor_type == NUMPY:
        found = enumerate(parameters_to_ndarrays(parameters))
        recording.arrays = {str(index): np.asarray(array) for index, array in found}
    recording.train = _joined([], history.metrics_distributed_fit)
    recording.evaluate = _joined(history.losses_distributed, history.metrics_distributed)
    recording.server = _joined(history.losses_centralized, history.metrics_centralized)


def _joined(
    losses: list[tuple[int, float]], metrics: Mapping[str, list[tuple[int, Any]]]
) -> ByRound:
    rounds: ByRound = {}
    for name, values in {"loss": losses, **metrics}.items():
        for number, value in values:
            rounds.setdefault(number, {})[name] = value
    return rounds
