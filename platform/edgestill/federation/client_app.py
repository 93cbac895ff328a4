"""Flower's ClientApp of a device: it says hello once, then trains when asked.

The same app runs in a cohort actor, in Flower's simulation engine and behind a SuperNode. The
node's ``partition-id`` says which device it is; ``vitals="host"`` lets it read its own machine.
"""

from dataclasses import replace
from typing import cast

from flwr.app import ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from edgestill.config import RunConfig
from edgestill.federation.device import take_part
from edgestill.federation.messages import (
    CONFIG,
    FRAME,
    METRICS,
    SUMMARY,
    read_instruction,
    reply,
)
from edgestill.federation.own_eyes import own_vitals, to_metrics, with_link_of
from edgestill.federation.world import World, world_of
from edgestill.knowledge import decode_projection, encode_summary, project, summarize
from edgestill.seeds import generator


def make_client_app(config: RunConfig) -> ClientApp:
    """Build the app; the dataset is opened in the process that first runs it."""
    app = ClientApp()

    @app.query("hello")
    def hello(message: Message, context: Context) -> Message:
        """Answer who this is, how many samples it has, and the noised summary of these."""
        world = world_of(config)
        device = device_of(context)
        content = RecordDict(
            {
                METRICS: MetricRecord(
                    {
                        "device": device,
                        "num-examples": len(world.owned[device]),
                        **to_metrics(own_vitals(context)),
                    }
                ),
                SUMMARY: ConfigRecord({FRAME: _summary_frame(world, device, message)}),
            }
        )
        return Message(content, reply_to=message)

    @app.train()
    def train(message: Message, context: Context) -> Message:
        """Take part in one round."""
        instruction = read_instruction(message)
        if (vitals := own_vitals(context)) is not None:
            seen = with_link_of(vitals, instruction.vitals)
            instruction = replace(instruction, vitals=seen)
        answer = take_part(world_of(config), device_of(context), instruction)
        metrics = {**answer.metrics, **to_metrics(vitals)}
        return reply(message, metrics, frame=answer.frame, reduce=instruction.reduce)

    return app


def device_of(context: Context) -> int:
    """Return the device index of a node, its ``partition-id``."""
    return int(cast(int, context.node_config["partition-id"]))


def _summary_frame(world: World, device: int, message: Message) -> bytes:
    """Return the coded summary, or nothing when the policy needs none or the device has no data."""
    knowledge = world.config.knowledge
    rows = world.owned[device]
    if knowledge.selection not in ("relevance", "reversed") or len(rows) == 0:
        return b""
    frame = cast(bytes, message.content.config_records[CONFIG]["projection"])
    projection = decode_projection(frame, fingerprint=world.fingerprint)
    summary = summarize(
        knowledge.summary,
        labels=world.dataset.labels[rows],
        projections=project(projection, world.dataset.inputs(rows)),
        classes=world.dataset.classes,
        rng=generator(world.config.seed, "summary-noise", device=device),
    )
    return encode_summary(summary, fingerprint=world.fingerprint)
