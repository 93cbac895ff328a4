"""The first message to a device: who are you, how much data, what is it like (noised)."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from flwr.app import ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp import Grid

from edgestill.errors import FrameError, RunError
from edgestill.federation.device.own_eyes import from_metrics
from edgestill.federation.local_grid import FleetGrid, exchange
from edgestill.federation.messages import CONFIG, FRAME, HELLO, METRICS, SUMMARY
from edgestill.federation.roster.members import Devices, Member, Members
from edgestill.knowledge import decode_summary

log = logging.getLogger(__name__)

POLL_INTERVAL_S = 0.1


def members_of(grid: Grid, devices: int) -> Members:
    """Return the book of a population in which nobody has said hello yet."""
    return Members(devices, nodes_by_rule=isinstance(grid, FleetGrid))


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What came of asking.

    Attributes:
        asked: how many devices.
        devices: that answered, ascending.
        reason: the first why one did not, on one line; empty if all did.
    """

    asked: int
    devices: Devices
    reason: str = ""


NOBODY = Heard(asked=0, devices=np.empty(0, np.int64))
"""What comes of asking nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeter:
    """Asks devices for their hello and enters what they say into ``members``.

    A device says hello once in a run, when it is first picked: its noised summary costs privacy
    each time it is made. A node whose answer is damaged counts as one that did not answer; it is
    asked again when it is picked again.

    Attributes:
        projection: the frame that summaries are made with; empty where none are wanted.
        fingerprint: of the model, on every frame.
        timeout_s: real time to wait for nodes to connect, and for answers.
    """

    grid: Grid
    members: Members
    projection: bytes
    fingerprint: int
    timeout_s: float

    def greet(self, devices: Devices) -> Heard:
        """Ask those of some devices that have not said hello."""
        strangers = self.members.strangers(devices)
        nodes = [self.members.node_of(device) for device in strangers.tolist()]
        return self._ask(nodes, self.projection)

    def meet(self) -> Heard:
        """Wait for the nodes of a grid that is not ours to connect, and ask each who it is.

        What has not connected after ``timeout_s`` is not waited for. A device that gave its summary
        before the run was taken up again is not asked for it a second time.

        Raises:
            RunError: no node answered.
        """
        nodes = self._connected()
        known = np.array(list(self.members), np.int64)
        heard = self._ask(nodes, b"" if len(known) else self.projection)
        if not len(heard.devices):
            raise RunError(f"none of {heard.asked} devices answered: {heard.reason}")
        new = np.setdiff1d(heard.devices, known)
        if len(known) and len(new) and self.projection:
            self._ask([self.members.node_of(d) for d in new.tolist()], self.projection)
        return Heard(asked=heard.asked, devices=new, reason=heard.reason)

    def _connected(self) -> list[int]:
        """Return the nodes when all are there; Flower's engines add them one by one."""
        end = time.monotonic() + self.timeout_s
        while len(nodes := list(self.grid.get_node_ids())) < self.members.population:
            if time.monotonic() >= end:
                break
            time.sleep(POLL_INTERVAL_S)
        return nodes

    def _ask(self, nodes: Sequence[int], projection: bytes) -> Heard:
        if not nodes:
            return NOBODY
        record = RecordDict({CONFIG: ConfigRecord({"projection": projection})})
        requests = (Message(record, node_id, HELLO) for node_id in nodes)
        devices, reasons = [], []
        for answer in exchange(self.grid, requests, self.timeout_s):
            try:
                devices.append(self._enter(answer))
            except (FrameError, RunError) as error:
                reasons.append(str(error))
                log.error("node %d said no hello: %s", answer.metadata.src_node_id, error)
        reason = "" if len(devices) == len(nodes) else _last_line(reasons)
        return Heard(asked=len(nodes), devices=np.array(sorted(devices), np.int64), reason=reason)

    def _enter(self, answer: Message) -> int:
        device, member = _read(answer, self.fingerprint)
        if not 0 <= device < self.members.population:
            raise FrameError(f"hello of device {device}; there are {self.members.population}")
        self.members.enter(device, member)
        return device


def _read(answer: Message, fingerprint: int) -> tuple[int, Member]:
    if answer.has_error():
        raise RunError(answer.error.reason or f"error {answer.error.code}")
    try:
        metrics = cast(MetricRecord, answer.content[METRICS])
        device, examples = cast(int, metrics["device"]), cast(int, metrics["num-examples"])
        frame = cast(bytes, cast(ConfigRecord, answer.content[SUMMARY])[FRAME])
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
