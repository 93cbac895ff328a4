"""What crosses between coordinator and device, as records of Flower messages.

Down, in a ``train`` message:
    config     Flower's own: server-round, proximal-mu
    task       the device's allocation, its simulated vitals, when the round closes, how to reply
    model      frame: the coded block of the model that the allocation asks for
    selection  positions in the teacher's bank, until a fog or the coordinator replaces them by
    knowledge  frame: the coded public samples
Up:
    update     frame: the coded, clipped change; reduce: ``sum`` or ``each``
    metrics    figures of this device and round, its mean loss on its own samples among them,
               without noise: ``federation.selection: utility`` chooses devices by it
Payloads are bytes in a ConfigRecord: no pickle, and nothing is copied to wrap them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal, cast

from flwr.app import ConfigRecord, Message, MetricRecord, RecordDict

from edgestill.allocation import Allocation
from edgestill.errors import FrameError
from edgestill.fleet import Vitals

Reduce = Literal["sum", "each"]

CONFIG, TASK, MODEL, SELECTION, KNOWLEDGE = "config", "task", "model", "selection", "knowledge"
UPDATE, METRICS, SUMMARY, ALLOCATION, VITALS = (
    "update",
    "metrics",
    "summary",
    "allocation",
    "vitals",
)
FRAME = "frame"
HELLO = "query.hello"

DONE, LATE, UNFIT = 0, 1, 2
"""How a device's round ended: trained in time, too late for the round, too little memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """What one device is asked to do in one round.

    Attributes:
        round_number: from 1.
        allocation: of its group; the device may lower it.
        vitals: the simulated state of the device at the round's start.
        closes_after_s: virtual seconds after which an answer comes too late.
        reduce: whether replies may be summed on their way.
        proximal_mu: FedProx's mu.
        model: frame with the block of the model.
        knowledge: frame with public samples; empty for none.
        knowledge_fingerprint: what that frame must carry.
    """

    round_number: int
    allocation: Allocation
    vitals: Vitals
    closes_after_s: float
    reduce: Reduce
    proximal_mu: float
    model: bytes
    knowledge: bytes
    knowledge_fingerprint: int


_VITALS = tuple(field.name for field in fields(Vitals))


def task_record(
    *, closes_after_s: float, reduce: Reduce, knowledge_fingerprint: int
) -> ConfigRecord:
    """Return the record of a train message that is the same for all devices of a round."""
    return ConfigRecord(
        {
            "closes-after-s": closes_after_s,
            "reduce": reduce,
            "knowledge-fingerprint": knowledge_fingerprint,
        }
    )


def vitals_record(vitals: Vitals) -> ConfigRecord:
    """Return the one record of a train message that no other device gets."""
    return ConfigRecord({name: getattr(vitals, name) for name in _VITALS})


def config_record(content: RecordDict, name: str) -> ConfigRecord:
    """Return a record of a message; Flower's own views of one kind of record are 200 times slower.

    Raises:
        KeyError: there is none of this name and kind.
    """
    record = content.get(name)
    if not isinstance(record, ConfigRecord):
        raise KeyError(name)
    return record


def read_instruction(message: Message) -> Instruction:
    """Read a train message.

    Raises:
        FrameError: a record or key is missing.
    """
    content = message.content
    try:
        config, task = config_record(content, CONFIG), config_record(content, TASK)
        knowledge = config_record(content, KNOWLEDGE)[FRAME] if KNOWLEDGE in content else b""
        return Instruction(
            round_number=cast(int, config["server-round"]),
            allocation=Allocation.from_record(dict(config_record(content, ALLOCATION))),
            vitals=Vitals(**cast(dict[str, float], dict(config_record(content, VITALS)))),  # type: ignore[arg-type]
            closes_after_s=cast(float, task["closes-after-s"]),
            reduce=cast(Reduce, task["reduce"]),
            proximal_mu=cast(float, config.get("proximal-mu", 0.0)),
            model=cast(bytes, config_record(content, MODEL)[FRAME]),
            knowledge=cast(bytes, knowledge),
            knowledge_fingerprint=cast(int, task["knowledge-fingerprint"]),
        )
    except KeyError as error:
        raise FrameError(f"train message without {error}") from error


def reply(
    request: Message, metrics: Mapping[str, float], *, frame: bytes | None, reduce: Reduce = "each"
) -> Message:
    """Return a device's answer; ``frame`` is its coded update, if it has one."""
    content = RecordDict({METRICS: _metric_record(metrics)})
    if frame is not None:
        content[UPDATE] = ConfigRecord({FRAME: frame, "reduce": reduce})
    return Message(content, reply_to=request)


_BLANK = MetricRecord()


def _metric_record(metrics: Mapping[str, float]) -> MetricRecord:
    """Return figures of ours as a record; Flower's check of each value takes 50 times longer."""
    record = _BLANK.copy()
    record.__dict__["_data"].update(metrics)
    return record
