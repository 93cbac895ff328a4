"""The first message to every node: who are you, how much data, what is it like (noised)."""

import logging
import time
from typing import cast

from flwr.app import ConfigRecord, Message, RecordDict
from flwr.serverapp import Grid

from edgestill.errors import FrameError, RunError
from edgestill.federation.messages import CONFIG, FRAME, HELLO, METRICS, SUMMARY
from edgestill.federation.own_eyes import from_metrics
from edgestill.federation.participants import Member
from edgestill.knowledge import decode_summary

log = logging.getLogger(__name__)

POLL_INTERVAL_S = 0.1


def say_hello(
    grid: Grid, projection: bytes, *, devices: int, fingerprint: int, timeout_s: float
) -> dict[int, Member]:
    """Wait for the nodes to connect, ask each and return its answer by device.

    What has not connected after ``timeout_s`` is not waited for. A device answers once in a run:
    its noised summary costs privacy each time it is made. A node whose answer is damaged counts as
    one that did not answer.

    Raises:
        RunError: no node answered.
    """
    record = RecordDict({CONFIG: ConfigRecord({"projection": projection})})
    nodes = _connected(grid, devices, timeout_s)
    requests = [Message(record, node_id, HELLO) for node_id in nodes]
    members: dict[int, Member] = {}
    reasons = []
    for answer in grid.send_and_receive(requests, timeout=timeout_s):
        try:
            device, member = _read(answer, fingerprint)
        except (FrameError, RunError) as error:
            reasons.append(str(error))
            log.error("node %d said no hello: %s", answer.metadata.src_node_id, error)
        else:
            members[device] = member
    if not members:
        raise RunError(f"none of {len(requests)} devices answered: {_last_line(reasons)}")
    return dict(sorted(members.items()))


def _connected(grid: Grid, devices: int, timeout_s: float) -> list[int]:
    """Return the nodes as soon as there are ``devices``; Flower's engines add them one by one."""
    end = time.monotonic() + timeout_s
    while len(nodes := list(grid.get_node_ids())) < devices and time.monotonic() < end:
        time.sleep(POLL_INTERVAL_S)
    return nodes


def _read(answer: Message, fingerprint: int) -> tuple[int, Member]:
    if answer.has_error():
        raise RunError(answer.error.reason or f"error {answer.error.code}")
    try:
        metrics = answer.content.metric_records[METRICS]
        device, examples = cast(int, metrics["device"]), cast(int, metrics["num-examples"])
        frame = cast(bytes, answer.content.config_records[SUMMARY][FRAME])
    except KeyError as error:
        raise FrameError(f"hello without {error}") from error
    member = Member(
        node_id=answer.metadata.src_node_id,
        examples=examples,
        summary=decode_summary(frame, fingerprint=fingerprint) if frame else None,
        summary_bytes=len(frame),
        vitals=from_metrics(device, metrics),
    )
    return device, member


def _last_line(reasons: list[str]) -> str:
    return reasons[0].strip().splitlines()[-1] if reasons and reasons[0] else "no reply in time"
