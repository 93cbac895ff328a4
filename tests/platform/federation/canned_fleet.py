"""A fleet that answers without training: for what a round costs the coordinator."""

from collections import Counter
from types import SimpleNamespace

import numpy as np
from flwr.app import ConfigRecord, Message, MetricRecord, RecordDict

from edgestill.federation import (
    FIRST_NODE_ID,
    Coordinator,
    FleetGrid,
    NoSource,
    Surroundings,
    World,
    sum_message,
)
from edgestill.federation.aggregation.update import Aggregate, Update
from edgestill.federation.messages import FRAME, HELLO, METRICS, SUMMARY, UPDATE
from edgestill.telemetry import MetricStore

DRAW = {"data": {"partition": {"kind": "draw", "samples_per_device": 4}}}
FIGURES = {
    "num-examples": 4,
    "severity": 0,
    "status": 0,
    "done-ratio": 1.0,
    "energy-j": 0.5,
    "total-s": 2.0,
    "flops": 1e6,
    "uplink-update-bytes": 900,
    "loss-task": 1.5,
}


class Canned(FleetGrid):
    """Answers at once, without training, as a fleet does that has summed all updates.

    With a ``frame``, each device sends that one update for itself.
    """

    def __init__(self, world, devices, *, empty=(), frame=None):
        super().__init__(devices, 1)
        arrays = world.family.initial_arrays(0)
        update = Update(delta={n: np.zeros_like(a) for n, a in arrays.items()}, examples=1)
        self._total, self._empty, self._frame = Aggregate.of(update), set(empty), frame
        self.hellos, self.trained = Counter(), Counter()

    def push_messages(self, messages):
        raise NotImplementedError

    def pull_messages(self, message_ids):
        raise NotImplementedError

    def send_and_receive(self, messages, *, timeout=None):
        last = None
        for last in messages:
            last.metadata.__dict__["_message_id"] = "m"
            yield self._answer(last, last.metadata.dst_node_id - FIRST_NODE_ID)
        if self._frame is None and last is not None and last.metadata.message_type == "train":
            yield sum_message(self._total, last)

    def _answer(self, message, device):
        if message.metadata.message_type == HELLO:
            self.hellos[device] += 1
            examples = 0 if device in self._empty else 4
            metrics = MetricRecord({"device": device, "num-examples": examples})
            content = RecordDict({METRICS: metrics, SUMMARY: ConfigRecord({FRAME: b""})})
        else:
            self.trained[device] += 1
            content = RecordDict({METRICS: MetricRecord(dict(FIGURES))})
            if self._frame is not None:
                content[UPDATE] = ConfigRecord({FRAME: self._frame, "reduce": "each"})
        return Message(content, reply_to=message)


def nobody():
    return SimpleNamespace(
        vitals_exported=lambda: None, round_started=lambda *_: None, round_ended=lambda _: None
    )


def coordinator_of(config, **options):
    """Return a coordinator of its own world, and its grid."""
    world = World.build(config)
    grid = Canned(world, config.fleet.devices, **options)
    store = MetricStore(max_device_series=8)
    around = Surroundings(world=world, source=NoSource(4), store=store, observer=nobody())
    return Coordinator(grid, around), grid
