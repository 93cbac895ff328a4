"""The Flower app's server: Flower's FedAvg, which waits for its turn before each round."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

from .models import MODELS
from .turns import Turns, leave
from .work import Work, accuracy, own_work

app = ServerApp()


class InTurns(FedAvg):
    """Flower's FedAvg over all devices in every round."""

    def __init__(self, work: Work, folder: Path) -> None:
        super().__init__(
            fraction_train=1.0,
            fraction_evaluate=0.0,
            min_train_nodes=work.devices,
            min_available_nodes=work.devices,
        )
        self._work, self._folder = work, folder
        self._module = MODELS[work.model]()
        self._turns = Turns()
        self._lost = 0

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Wait for the turn, then let Flower configure the round."""
        self._turns.wait()
        return super().configure_train(server_round, arrays, config, grid)

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Count the devices without an answer, and let Flower average the others."""
        held = list(replies)
        self._lost = self._work.devices - sum(not reply.has_error() for reply in held)
        return super().aggregate_train(server_round, held)

    def score(self, server_round: int, arrays: ArrayRecord) -> MetricRecord:
        """Score the global model; after a round this is what ends it."""
        self._module.load_state_dict(arrays.to_torch_state_dict())
        found = accuracy(self._module, self._work)
        if server_round > 0:
            self._turns.played(round=server_round, lost=self._lost, accuracy=found)
        if server_round == self._work.rounds:
            state = self._module.state_dict()
            leave(self._folder, {name: np.array(state[name]) for name in state})
        return MetricRecord({"accuracy": found})


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run all rounds of the work."""
    torch.set_num_threads(1)
    folder, work = own_work()
    strategy = InTurns(work, folder)
    strategy.start(
        grid=grid,
        initial_arrays=ArrayRecord({n: Array(a) for n, a in work.initial.items()}),
        num_rounds=work.rounds,
        evaluate_fn=strategy.score,
    )
