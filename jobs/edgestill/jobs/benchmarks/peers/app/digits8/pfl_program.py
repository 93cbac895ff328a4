"""A program: the same work under Apple's pfl, one process per core through torch.distributed.

Usage: pfl_program CORES. The process of rank 0 starts the others and talks to the referee.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

RANK, ADDRESSES = "PFL_WORKER_RANK", "PFL_WORKER_ADDRESSES"


def start_others(cores: int) -> None:
    """Start the processes of ranks 1 and up; this one is rank 0. pfl reads the environment."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.environ[ADDRESSES] = ",".join(f"127.0.0.1:{port}" for _ in range(cores))
    for rank in range(1, cores):
        subprocess.Popen(  # noqa: S603 - this very program
            [sys.executable, "-m", "digits8.pfl_program", str(cores)],
            env={**os.environ, RANK: str(rank)},
            stdin=subprocess.DEVNULL,
        )
    os.environ[RANK] = "0"


if RANK not in os.environ and __name__ == "__main__":
    start_others(int(sys.argv[1]))

import numpy as np  # noqa: E402 - pfl joins the other processes when it is imported
import torch  # noqa: E402
from pfl.aggregate.simulate import SimulatedBackend  # noqa: E402
from pfl.aggregate.weighting import WeightByDatapoints  # noqa: E402
from pfl.algorithm.base import NNAlgorithmParams  # noqa: E402
from pfl.algorithm.federated_averaging import FederatedAveraging  # noqa: E402
from pfl.callback.base import TrainingProcessCallback  # noqa: E402
from pfl.data.federated_dataset import FederatedDataset  # noqa: E402
from pfl.data.pytorch import PyTorchTensorDataset  # noqa: E402
from pfl.data.sampling import MinimizeReuseUserSampler  # noqa: E402
from pfl.hyperparam.base import NNTrainHyperParams  # noqa: E402
from pfl.metrics import Metrics, Weighted  # noqa: E402
from pfl.model.pytorch import PyTorchModel  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from .models import MODELS  # noqa: E402
from .turns import Turns, leave  # noqa: E402
from .work import Work, accuracy, own_work, tensors  # noqa: E402


class WithLoss(nn.Module):
    """A network with the loss that pfl asks for."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def loss(self, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the mean cross-entropy."""
        return functional.cross_entropy(self.body(inputs), labels)

    def metrics(self, inputs: torch.Tensor, labels: torch.Tensor) -> dict[str, Weighted]:
        """Return what pfl asks for before it trains in its first round, and in no other."""
        return {"samples": Weighted.from_unweighted(len(labels))}


class OwnOrder(PyTorchTensorDataset):  # type: ignore[misc]
    """One device's samples, in the order that all sides share."""

    def __init__(self, work: Work, round_number: int, device: int) -> None:
        self._own = tensors(work, work.rows[device])
        self._batch_size = work.batch_size
        self._own_order = list(work.batches(round_number, device))
        self._epoch = 0
        self._steps = len(self._own_order) // work.epochs
        super().__init__(self._own, user_id=str(device))

    def iter(self, batch_size: int | None) -> Iterator[list[torch.Tensor]]:
        """Yield the batches of the next epoch; to who asks for other batches, all samples."""
        if batch_size != self._batch_size:
            yield list(self._own)
            return
        first = self._epoch * self._steps
        self._epoch += 1
        for positions in self._own_order[first : first + self._steps]:
            picked = torch.from_numpy(positions)
            yield [tensor[picked] for tensor in self._own]


class InTurns(TrainingProcessCallback):  # type: ignore[misc]
    """Waits for the turn before each round, scores the model after it."""

    def __init__(self, work: Work, module: WithLoss) -> None:
        self.round_number = 1
        self._work, self._module = work, module
        self._turns = Turns()
        self._first = os.environ[RANK] == "0"

    def on_train_begin(self, *, model: Any) -> Metrics:
        """Wait for the first turn."""
        self._wait()
        return Metrics()

    def after_central_iteration(
        self, aggregate_metrics: Metrics, model: Any, *, central_iteration: int
    ) -> tuple[bool, Metrics]:
        """Score the model, say so, and wait for the next turn."""
        if self._first:
            found = accuracy(self._module.body, self._work)
            self._module.train()
            self._turns.played(round=self.round_number, lost=0, accuracy=found)
        self.round_number += 1
        if self.round_number <= self._work.rounds:
            self._wait()
        return False, Metrics()

    def _wait(self) -> None:
        if self._first:
            self._turns.wait()
        # The others would train in somebody else's turn.
        if torch.distributed.is_initialized():
            torch.distributed.barrier()


def federated(work: Work, round_number: Callable[[], int]) -> FederatedDataset:
    """Return all devices as pfl's data, each once in a round."""
    return FederatedDataset(
        lambda device: OwnOrder(work, round_number(), device),
        MinimizeReuseUserSampler(range(work.devices)),
    )


def main() -> None:
    """Run all rounds of the work."""
    torch.set_num_threads(1)
    # pfl's own generators must agree between processes.
    np.random.seed(0)
    folder, work = own_work()
    module = WithLoss(MODELS[work.model]())
    module.body.load_state_dict({n: torch.from_numpy(a) for n, a in work.initial.items()})
    model = PyTorchModel(
        module,
        lambda parameters, lr: torch.optim.SGD(parameters, lr=lr, momentum=work.momentum),
        torch.optim.SGD(module.parameters(), lr=1.0),
    )
    turns = InTurns(work, module)
    devices = federated(work, lambda: turns.round_number)
    FederatedAveraging().run(
        NNAlgorithmParams(
            central_num_iterations=work.rounds,
            evaluation_frequency=work.rounds + 1,
            train_cohort_size=work.devices,
            val_cohort_size=0,
        ),
        SimulatedBackend(devices, devices, postprocessors=[WeightByDatapoints()]),
        model,
        NNTrainHyperParams(
            local_num_epochs=work.epochs,
            local_learning_rate=work.learning_rate,
            local_batch_size=work.batch_size,
        ),
        callbacks=[turns],
        send_metrics_to_platform=False,
    )
    if os.environ[RANK] == "0":
        state = module.body.state_dict()
        leave(folder, {name: np.array(state[name]) for name in state})


if __name__ == "__main__":
    main()
