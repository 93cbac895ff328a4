"""Plain Flower apps that know nothing of edgestill."""

import hashlib
import os
import signal
import time
from pathlib import Path

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp


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
