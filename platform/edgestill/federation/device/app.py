"""Flower's ClientApp of a device: it says hello once, then trains when asked.

The same app runs in a cohort actor, in Flower's simulation engine and behind a SuperNode. The
node's ``partition-id`` says which device it is; ``vitals="host"`` lets it read its own machine.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, cast

from flwr.app import ConfigRecord, Context, Message, MessageType, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from edgestill.config import RunConfig
from edgestill.federation.attempt import attempt
from edgestill.federation.device.figures import Answer
from edgestill.federation.device.kept import Kept
from edgestill.federation.device.lanes import fit_lanes
from edgestill.federation.device.own_eyes import own_vitals, to_metrics, with_link_of
from edgestill.federation.device.part import Prepared, finish, fit, prepare
from edgestill.federation.messages import (
    CONFIG,
    FRAME,
    METRICS,
    SUMMARY,
    Instruction,
    Reduce,
    config_record,
    read_instruction,
    reply,
)
from edgestill.federation.personal.trial import trial_metrics
from edgestill.federation.world import World, world_of
from edgestill.knowledge import decode_projection, encode_summary, project, summarize
from edgestill.seeds import generator
from edgestill.training import Trained


class DeviceApp(ClientApp):
    """Flower's app of one device, which can also run many devices in one call."""

    def __init__(self, config: RunConfig) -> None:
        super().__init__()
        self._config = config
        self._opened: World | None = None
        self.query("hello")(self._hello)
        self.train()(self._train)
        self.evaluate()(self._train)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the opened dataset behind: each process opens its own."""
        return {**self.__dict__, "_opened": None}

    @property
    def _world(self) -> World:
        if self._opened is None:
            self._opened = world_of(self._config)
        return self._opened

    def many(self, messages: Sequence[Message], contexts: Sequence[Context]) -> list[Message]:
        """Return the replies that the app gives one by one; equal work is trained together.

        What one device raises becomes its own error reply.
        """
        begun = [
            attempt(message, partial(self._begin, message, context))
            for message, context in zip(messages, contexts, strict=True)
        ]
        prepared = {i: one for i, one in enumerate(begun) if isinstance(one, Prepared)}
        trained = fit_lanes(self._world, prepared)
        for number, one in prepared.items():
            message, context, result = messages[number], contexts[number], trained.get(number)
            begun[number] = attempt(message, partial(self._end, message, context, one, result))
        return cast(list[Message], begun)

    def _begin(self, message: Message, context: Context) -> Prepared | Message:
        """Answer at once whatever asks for no training."""
        if message.metadata.message_type not in (MessageType.TRAIN, MessageType.EVALUATE):
            return self(message, context)
        instruction = self._instruction(message, context)
        begun = prepare(self._world, device_of(context), instruction, Kept.of(context))
        return _answer(message, context, begun) if isinstance(begun, Answer) else begun

    def _end(
        self, message: Message, context: Context, prepared: Prepared, trained: Trained | None
    ) -> Message:
        world = self._world
        result = fit(world, prepared) if trained is None else trained
        if message.metadata.message_type == MessageType.EVALUATE:
            # What is trained to be tried is neither sent nor kept.
            return reply(message, trial_metrics(world, prepared, result), frame=None)
        answer = finish(world, prepared, result, vectorized=trained is not None)
        if answer.kept is not None:
            answer.kept.write(context)
        return _answer(message, context, answer, reduce=prepared.instruction.reduce)

    def _train(self, message: Message, context: Context) -> Message:
        """Take part in one round, or try a student of one's own beside the global one."""
        begun = self._begin(message, context)
        return begun if isinstance(begun, Message) else self._end(message, context, begun, None)

    def _instruction(self, message: Message, context: Context) -> Instruction:
        instruction = read_instruction(message)
        if (vitals := own_vitals(context)) is None:
            return instruction
        return replace(instruction, vitals=with_link_of(vitals, instruction.vitals))

    def _hello(self, message: Message, context: Context) -> Message:
        """Answer who this is, how many samples it has, and the noised summary of these."""
        world = self._world
        device = device_of(context)
        content = RecordDict(
            {
                METRICS: MetricRecord(
                    {
                        "device": device,
                        "num-examples": world.owned.size_of(device),
                        **to_metrics(own_vitals(context)),
                    }
                ),
                SUMMARY: ConfigRecord({FRAME: _summary_frame(world, device, message)}),
            }
        )
        return Message(content, reply_to=message)


def make_client_app(config: RunConfig) -> DeviceApp:
    """Build the app; the dataset is opened in the process that first runs it."""
    return DeviceApp(config)


def _answer(message: Message, context: Context, answer: Answer, reduce: Reduce = "each") -> Message:
    metrics = {**answer.metrics, **to_metrics(own_vitals(context))}
    return reply(message, metrics, frame=answer.frame, reduce=reduce)


def device_of(context: Context) -> int:
    """Return the device index of a node, its ``partition-id``."""
    return int(cast(int, context.node_config["partition-id"]))


def _summary_frame(world: World, device: int, message: Message) -> bytes:
    """Return the coded summary, or nothing where none is wanted or there is no data."""
    knowledge = world.config.knowledge
    rows = world.owned[device]
    if knowledge.selection not in ("relevance", "reversed") or len(rows) == 0:
        return b""
    frame = cast(bytes, config_record(message.content, CONFIG)["projection"])
    if not frame:
        return b""
    projection = decode_projection(frame, fingerprint=world.fingerprint)
    labels = world.dataset.labels[rows]
    summary = summarize(
        knowledge.summary,
        labels=labels,
        projections=project(projection, world.dataset.inputs(rows), labels),
        widths=projection.widths,
        classes=world.dataset.classes,
        rng=generator(world.config.seed, "summary-noise", device=device),
    )
    return encode_summary(summary, fingerprint=world.fingerprint)
