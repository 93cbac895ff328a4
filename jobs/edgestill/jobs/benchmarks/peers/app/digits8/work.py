"""What every side is to do: the data, who owns it, in which order it is seen, where to begin."""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

FOLDER = "DIGITS8_WORK"
"""The environment variable that names the folder of the work."""

PLAIN = ("model", "seed", "rounds", "epochs", "batch_size", "learning_rate", "momentum")
ARRAYS = ("inputs", "labels", "rows", "test_rows")


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Federated averaging over all devices in every round, by plain SGD.

    Attributes:
        model: a key of ``MODELS``.
        seed: of the run; with round and device it gives the order of samples.
        rounds: from 1 to this one, those that warm up included.
        inputs: float32 [N, 1, 8, 8].
        labels: int64 [N].
        rows: int64 [devices, S], the samples of each device.
        test_rows: int64 [T], on which the global model is scored after each round.
        initial: name to float32 array.
    """

    model: str
    seed: int
    rounds: int
    epochs: int
    batch_size: int
    learning_rate: float
    momentum: float
    inputs: NDArray[np.float32]
    labels: NDArray[np.int64]
    rows: NDArray[np.int64]
    test_rows: NDArray[np.int64]
    initial: dict[str, NDArray[np.float32]]

    @property
    def devices(self) -> int:
        """How many devices there are."""
        return len(self.rows)

    def write(self, folder: Path) -> None:
        """Write into a folder that exists."""
        plain = {name: getattr(self, name) for name in PLAIN}
        (folder / "work.json").write_text(json.dumps(plain), encoding="utf-8")
        for name in ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self, name))
        np.savez(folder / "initial.npz", **self.initial)

    @classmethod
    def read(cls, folder: Path) -> "Work":
        """Read what :meth:`write` wrote."""
        plain = json.loads((folder / "work.json").read_text(encoding="utf-8"))
        arrays = {name: np.load(folder / f"{name}.npy") for name in ARRAYS}
        with np.load(folder / "initial.npz") as held:
            initial = {name: held[name] for name in held.files}
        return cls(**plain, **arrays, initial=initial)

    def batches(self, round_number: int, device: int) -> Iterator[NDArray[np.int64]]:
        """Yield the positions, among a device's own samples, of each step of a round's batches."""
        rng = np.random.default_rng(order_seed(self.seed, round_number, device))
        count = self.rows.shape[1]
        for _ in range(self.epochs):
            yield from np.array_split(rng.permutation(count), -(-count // self.batch_size))


def order_seed(run_seed: int, round_number: int, device: int) -> int:
    """Return the seed of the order of samples: 63 bits, from run, purpose, round and device."""
    text = f"{run_seed}/training/{round_number}/{device}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") >> 1


def own_work() -> tuple[Path, Work]:
    """Return the folder that the environment names and the work in it."""
    folder = Path(os.environ[FOLDER])
    return folder, Work.read(folder)


def tensors(work: Work, rows: NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return inputs [B, 1, 8, 8] and labels [B] of rows."""
    return torch.from_numpy(work.inputs[rows]), torch.from_numpy(work.labels[rows])


def train(module: nn.Module, work: Work, round_number: int, device: int) -> None:
    """Train a module, which holds the global weights, on one device's samples for one round."""
    inputs, labels = tensors(work, work.rows[device])
    module.train()
    optimizer = torch.optim.SGD(module.parameters(), lr=work.learning_rate, momentum=work.momentum)
    for positions in work.batches(round_number, device):
        picked = torch.from_numpy(positions)
        optimizer.zero_grad(set_to_none=True)
        functional.cross_entropy(module(inputs[picked]), labels[picked]).backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def accuracy(module: nn.Module, work: Work) -> float:
    """Return the share of the test samples that a module answers right, 0..1."""
    inputs, labels = tensors(work, work.test_rows)
    module.eval()
    with torch.inference_mode():
        return float((module(inputs).argmax(dim=1) == labels).float().mean())
