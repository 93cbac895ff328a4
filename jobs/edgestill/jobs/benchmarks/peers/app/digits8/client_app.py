"""The Flower app's client: local training of one device."""

from functools import cache

import torch
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from torch import nn

from .models import MODELS
from .work import Work, own_work
from .work import train as train_module

app = ClientApp()


@cache
def _held() -> tuple[Work, nn.Module]:
    """Return the data and the module, which are kept between calls as any careful app does."""
    torch.set_num_threads(1)
    _, work = own_work()
    return work, MODELS[work.model]()


@app.train()
def train(message: Message, context: Context) -> Message:
    """Train one device for one round."""
    work, module = _held()
    device = int(str(context.node_config["partition-id"]))
    module.load_state_dict(message.content.array_records["arrays"].to_torch_state_dict())
    round_number = int(str(message.content.config_records["config"]["server-round"]))
    train_module(module, work, round_number, device)
    content = RecordDict(
        {
            "arrays": ArrayRecord(module.state_dict()),
            "metrics": MetricRecord({"num-examples": work.rows.shape[1]}),
        }
    )
    return Message(content=content, reply_to=message)
