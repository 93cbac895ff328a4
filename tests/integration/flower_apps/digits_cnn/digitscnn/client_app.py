"""What a device does."""

import torch
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from .task import Net, load_data
from .task import test as test_fn
from .task import train as train_fn

app = ClientApp()


def prepare(msg: Message, context: Context):
    # The same draws on every engine: by device and round.
    device = int(context.node_config["partition-id"])
    torch.manual_seed(1000 * int(msg.content["config"]["server-round"]) + device)
    net = Net()
    net.load_state_dict(msg.content["arrays"].to_torch_state_dict())
    num_partitions = int(context.node_config["num-partitions"])
    return net, load_data(device, num_partitions, int(context.run_config["samples"]))


@app.train()
def train(msg: Message, context: Context):
    net, data = prepare(msg, context)
    rounds = context.state.metric_records.get("seen", MetricRecord({"rounds": 0}))["rounds"] + 1
    context.state["seen"] = MetricRecord({"rounds": rounds})
    loss = train_fn(net, data, int(context.run_config["local-epochs"]), msg.content["config"]["lr"])
    metrics = {"train_loss": loss, "rounds": rounds, "num-examples": len(data.dataset)}
    content = RecordDict(
        {"arrays": ArrayRecord(net.state_dict()), "metrics": MetricRecord(metrics)}
    )
    return Message(content=content, reply_to=msg)


@app.evaluate()
def evaluate(msg: Message, context: Context):
    net, data = prepare(msg, context)
    loss, accuracy = test_fn(net, data)
    metrics = {"eval_loss": loss, "eval_acc": accuracy, "num-examples": len(data.dataset)}
    return Message(content=RecordDict({"metrics": MetricRecord(metrics)}), reply_to=msg)
