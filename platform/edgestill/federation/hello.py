"""The first message to every node: who are you, how much data, what is it like (noised)."""

import logging
from typing import cast

from flwr.app import ConfigRecord, Message, RecordDict
from flwr.serverapp import Grid

from edgestill.errors import RunError
from edgestill.federation.messages import CONFIG, FRAME, HELLO, METRICS, SUMMARY
from edgestill.federation.participants import Member
from edgestill.knowledge import decode_summary

log = logging.getLogger(__name__)


def say_hello(
    grid: Grid, projection: bytes, *, fingerprint: int, timeout_s: float
) -> dict[int, Member]:
    """Ask every node and return its answer by device.

    A device answers once in a run: its noised summary costs privacy each time it is made.

    Raises:
        RunError: no node answered.
        FrameError: a summary is damaged.
    """
    record = RecordDict({CONFIG: ConfigRecord({"projection": projection})})
    requests = [Message(record, node_id, HELLO) for node_id in grid.get_node_ids()]
    members: dict[int, Member] = {}
    reasons = []
    for answer in grid.send_and_receive(requests, timeout=timeout_s):
        if answer.has_error():
            reasons.append(answer.error.reason or "")
            log.error("node %d said no hello: %s", answer.metadata.src_node_id, reasons[-1])
            continue
        device, member = _read(answer, fingerprint)
        members[device] = member
    if not members:
        raise RunError(f"none of {len(requests)} devices answered: {_last_line(reasons)}")
    return dict(sorted(members.items()))


def _read(answer: Message, fingerprint: int) -> tuple[int, Member]:
    metrics = answer.content.metric_records[METRICS]
    frame = cast(bytes, answer.content.config_records[SUMMARY][FRAME])
    member = Member(
        node_id=answer.metadata.src_node_id,
        examples=cast(int, metrics["num-examples"]),
        summary=decode_summary(frame, fingerprint=fingerprint) if frame else None,
        summary_bytes=len(frame),
    )
    return cast(int, metrics["device"]), member


def _last_line(reasons: list[str]) -> str:
    return reasons[0].strip().splitlines()[-1] if reasons and reasons[0] else "no reply in time"
