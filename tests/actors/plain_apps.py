"""Flower apps, plain ones but for one that answers updates that may be summed."""

import hashlib
import os
import signal
import time
from pathlib import Path

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from edgestill.codec import encode_arrays
from edgestill.federation import Aggregate, fold
from edgestill.federation.messages import reply


def device_of(context: Context) -> int:
    return int(context.node_config["partition-id"])


def learner() -> ClientApp:
    """Each device moves every array by its own number + 1, and counts its rounds in its state."""
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        arrays = message.content.array_records["arrays"].to_numpy_ndarrays()
        moved = [array + np.float32(device_of(context) + 1) for array in arrays]
        before = context.state.metric_records.get("rounds", MetricRecord({"count": 0}))
        context.state["rounds"] = MetricRecord({"count": before["count"] + 1})
        metrics = MetricRecord({"num-examples": 1, "rounds": before["count"] + 1})
        content = RecordDict({"arrays": ArrayRecord(moved), "metrics": metrics})
        return Message(content, reply_to=message)

    return app


def faulty(device: int) -> ClientApp:
    """One device raises."""
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        if device_of(context) == device:
            raise ZeroDivisionError(f"device {device} divides")
        return _counted(message, context)

    return app


def digester() -> ClientApp:
    """Each device answers what the records that came to it are."""
    app = ClientApp()

    @app.query()
    def query(message: Message, context: Context) -> Message:
        digests = {name: _digest(record) for name, record in message.content.items()}
        return Message(RecordDict({"digests": ConfigRecord(digests)}), reply_to=message)

    return app


def killer(device: int, marker: Path | None = None) -> ClientApp:
    """One device ends its process by SIGKILL: once, if there is a marker to leave, or always."""
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        if device_of(context) == device and not (marker and marker.exists()):
            if marker:
                marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return _counted(message, context)

    return app


def hoarder() -> ClientApp:
    """Each device keeps as many bytes as it is told to, and counts its rounds in its state."""
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        asked = message.content["config"]
        before = context.state.get("hoard", ConfigRecord({"rounds": 0}))
        rounds = before["rounds"] + (0 if asked.get("keep") else 1)
        if not asked.get("keep"):
            hoard = bytes([rounds % 256]) * asked["size"]
            context.state["hoard"] = ConfigRecord({"rounds": rounds, "bytes": hoard})
        record = MetricRecord({"rounds": rounds})
        return Message(RecordDict({"metrics": record}), reply_to=message)

    return app


def summable(elements: int) -> ClientApp:
    """Each device answers a change that only it would make, which may be summed on its way."""
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        device = device_of(context)
        change = np.random.default_rng(device).normal(size=elements).astype(np.float32)
        frame = encode_arrays({"x": change}, bits=16, fingerprint=0)
        return reply(message, {"num-examples": device + 1}, frame=frame, reduce="sum")

    return app


def sum_of(replies: list[Message]) -> Aggregate:
    """Return the sum of updates that came one by one."""
    total = fold(replies, 0).total
    assert total is not None
    return total


def assassins(folder: Path) -> ClientApp:
    """Devices that are told to end their process do so, once a round each."""
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        asked = message.content["config"]
        mark = folder / f"{asked['round']}-{device_of(context)}"
        if device_of(context) in asked["kill"] and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return _counted(message, context)

    return app


def sleeper(device: int, seconds: float) -> ClientApp:
    """One device stalls when it is told to."""
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        if device_of(context) == device and message.content["config"]["stall"]:
            time.sleep(seconds)
        return _counted(message, context)

    return app


def _counted(message: Message, context: Context) -> Message:
    before = context.state.metric_records.get("rounds", MetricRecord({"count": 0}))
    context.state["rounds"] = MetricRecord({"count": before["count"] + 1})
    record = MetricRecord({"device": device_of(context), "rounds": before["count"] + 1})
    return Message(RecordDict({"metrics": record}), reply_to=message)


def _digest(record: ArrayRecord | ConfigRecord) -> str:
    values = [array.numpy() for array in record.values()] if isinstance(record, ArrayRecord) else []
    payloads = [array.tobytes() for array in values] or [
        value for value in record.values() if isinstance(value, bytes)
    ]
    return hashlib.sha256(b"".join(payloads)).hexdigest()
