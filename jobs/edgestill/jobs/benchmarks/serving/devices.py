"""Devices that ask the service, in a process of their own: orders in, what every input met out."""

import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Self

import torch

from edgestill.inference.client import CloudClient, EdgeClient, Inputs
from edgestill.inference.gates import ALWAYS
from edgestill.inference.joint import Edge, load_edge
from edgestill.jobs.benchmarks.serving.child import Child, say
from edgestill.jobs.benchmarks.serving.held import inputs_of

HOST = "127.0.0.1"
WARM_UP = 5
"""Inputs of each device that are not counted."""

_SPARE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What became of one input; seconds of the machine's monotonic clock.

    Attributes:
        at_s: when the device was asked.
        elapsed_s: until it had an answer.
        by: who answered.
        reason: why it was that one.
        rate: of what was sent; None if nothing was.
        bytes_sent: frames only.
    """

    at_s: float
    elapsed_s: float
    by: str
    reason: str
    rate: int | None
    bytes_sent: int

    @classmethod
    def of(cls, row: Sequence[Any]) -> Self:
        """Return what was a row of a line of JSON."""
        names = ("at_s", "elapsed_s", "by", "reason", "rate", "bytes_sent")
        return cls(**dict(zip(names, row, strict=True)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What devices shall do.

    Attributes:
        port: that they ask.
        devices: that ask at the same time.
        inputs: of each.
        per_s: of each; None is the next as soon as the last is answered.
        deadline_s: from an input to its answer.
        bandwidth_bytes_per_s: that they expect at first.
    """

    port: int
    devices: int = 1
    inputs: int
    per_s: float | None = None
    deadline_s: float
    bandwidth_bytes_per_s: float

    @property
    def within_s(self) -> float:
        """How long it may take at the most."""
        one_s = self.deadline_s if self.per_s is None else max(self.deadline_s, 1.0 / self.per_s)
        return self.inputs * one_s * 2.0 + _SPARE_S


class Devices:
    """The parent's end of the line."""

    def __init__(self, folder: Path) -> None:
        self._child = Child(
            "devices", "edgestill.jobs.benchmarks.serving.devices", str(folder), folder=folder
        )
        self._child.hear(_SPARE_S)
        self._order: Order | None = None

    def begin(self, order: Order) -> None:
        """Let the devices ask."""
        self._order = order
        names = ("port", "devices", "inputs", "per_s", "deadline_s", "bandwidth_bytes_per_s")
        self._child.tell({name: getattr(order, name) for name in names})

    def finish(self) -> list[Asked]:
        """Return what the inputs met, in the order of time; those without answer are missing."""
        within_s = _SPARE_S if self._order is None else self._order.within_s
        rows = self._child.hear(within_s)["asked"]
        return sorted((Asked.of(row) for row in rows), key=lambda asked: asked.at_s)

    def close(self) -> None:
        """End the process."""
        self._child.close()


def ask_all(edge: Edge, inputs: Sequence[Inputs], order: Order) -> list[Asked]:
    """Let all devices ask, each in a thread with a connection of its own."""
    with ThreadPoolExecutor(order.devices) as pool:
        found = pool.map(
            lambda number: _one_device(edge, inputs, order, number), range(order.devices)
        )
        return [asked for one in found for asked in one]


def _one_device(edge: Edge, inputs: Sequence[Inputs], order: Order, number: int) -> list[Asked]:
    cloud = CloudClient(f"http://{HOST}:{order.port}", seed=number)
    client = EdgeClient(
        edge.half,
        hardness=edge.hardness,
        threshold=ALWAYS,
        cloud=cloud,
        deadline_s=order.deadline_s,
        bandwidth_bytes_per_s=order.bandwidth_bytes_per_s,
    )
    try:
        for place in range(WARM_UP):
            client.answer(inputs[place])
        gap_s = 0.0 if order.per_s is None else 1.0 / order.per_s
        began_s = monotonic() + gap_s * number / order.devices
        return [
            _one_input(client, inputs[(number + place) % len(inputs)], began_s + gap_s * place)
            for place in range(order.inputs)
        ]
    finally:
        cloud.close()


def _one_input(client: EdgeClient, one: Inputs, due_s: float) -> Asked:
    sleep(max(0.0, due_s - monotonic()))
    at_s = monotonic()
    answered = client.answer(one)
    return Asked(
        at_s=at_s,
        elapsed_s=monotonic() - at_s,
        by=answered.answer.by,
        reason=answered.reason,
        rate=answered.rate,
        bytes_sent=answered.bytes_sent,
    )


def main(folder: str) -> None:
    """Take orders until standard input ends."""
    torch.set_num_threads(1)
    edge, inputs = load_edge(Path(folder)), inputs_of(Path(folder))
    say({"ready": True})
    for line in sys.stdin:
        found = ask_all(edge, inputs, Order(**json.loads(line)))
        say({"asked": [astuple(asked) for asked in found]})


if __name__ == "__main__":
    main(sys.argv[1])
