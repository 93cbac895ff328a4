"""What a device does, and what it should not."""

import time
from pathlib import Path

import numpy as np
from flwr.app import Array, ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp


def counting_mod(message: Message, context: Context, call_next) -> Message:
    reply = call_next(message, context)
    if isinstance(reply, Message) and reply.has_content() and "metrics" in reply.content:
        reply.content["metrics"]["mods"] = 1
    return reply


app = ClientApp(mods=[counting_mod])


def fault_of(message: Message, context: Context) -> str:
    if message.content["config"].get("server-round") != context.run_config["fault-round"]:
        return ""
    faults = dict(pair.split(":") for pair in str(context.run_config["faults"]).split())
    device = str(context.node_config["partition-id"])
    return faults.get(device, faults.get("*", ""))


@app.train()
def train(message: Message, context: Context):
    fault = fault_of(message, context)
    sent = message.content["arrays"]
    arrays = {key: array.numpy() + 1 for key, array in sent.items()}
    before = context.state.metric_records.get("calls", MetricRecord({"count": 0}))["count"]
    context.state["calls"] = MetricRecord({"count": before + 1})
    if fault == "raise":
        raise ValueError("no more\nsecond line")
    if fault == "exit":
        raise SystemExit(7)
    if fault == "none":
        return None
    if fault == "type":
        return arrays
    if fault == "hang":
        time.sleep(600)
    if fault == "shape":
        arrays["w"] = arrays["w"][:1]
    if fault == "nan":
        arrays["w"][0] = np.nan
    if fault == "adapter":
        arrays = {"adapter": np.ones(2)}
    # A file beside the app, as apps read them.
    known = Path("words.txt").read_text().split()
    record = ArrayRecord({key: Array(array) for key, array in arrays.items()})
    metrics = {"num-examples": 1, "calls": before + 1, "words": len(known)}
    # Whether this is a copy that was brought here.
    metrics["brought"] = int("working_dir" in str(Path.cwd()))
    # What was sent is this client's own: nobody else sees what it does to it.
    del sent["w"]
    return Message(
        RecordDict({"arrays": record, "metrics": MetricRecord(metrics)}), reply_to=message
    )
