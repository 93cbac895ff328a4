"""The cloud killed under load and started again: no answer may be lost, none come too late."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgestill.errors import RunError
from edgestill.jobs.benchmarks.serving.amount import Amount
from edgestill.jobs.benchmarks.serving.devices import Asked, Devices, Order
from edgestill.jobs.benchmarks.serving.sides import Side

BACK_WITHIN_S = 120.0
_LOOK_EVERY_S = 0.2
_EXPECTED_BYTES_PER_S = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """One end of the cloud; seconds of the machine's monotonic clock.

    Attributes:
        at_s: when its process was killed.
        back_s: when another one served.
    """

    at_s: float
    back_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """What the devices met meanwhile.

    Attributes:
        inputs: that were asked about.
        deadline_s: from an input to its answer.
        asked: those that were answered, in the order of time.
        kills: at least one.
    """

    inputs: int
    deadline_s: float
    asked: Sequence[Asked]
    kills: Sequence[Kill]

    @property
    def lost(self) -> int:
        """Inputs without an answer."""
        return self.inputs - len(self.asked)

    @property
    def late(self) -> int:
        """Answers beyond the deadline."""
        return sum(one.elapsed_s > self.deadline_s for one in self.asked)

    @property
    def answers_again_s(self) -> list[float | None]:
        """Seconds from each kill to the cloud's next answer; None if there was none any more."""
        ends = [kill.at_s for kill in self.kills[1:]] + [float("inf")]
        return [
            next(
                (
                    one.at_s + one.elapsed_s - kill.at_s
                    for one in self.asked
                    if kill.at_s < one.at_s < end_s and one.by != "edge"
                ),
                None,
            )
            for kill, end_s in zip(self.kills, ends, strict=True)
        ]


def under_kills(
    ours: Side, devices: Devices, amount: Amount, told: Callable[[str], None]
) -> Outage:
    """Kill the cloud while devices ask; return what they met.

    Raises:
        RunError: the cloud does not come back.
    """
    each = amount.inputs // amount.devices
    order = Order(
        port=ours.port,
        devices=amount.devices,
        inputs=each,
        per_s=amount.inputs_per_s / amount.devices,
        deadline_s=amount.deadline_s,
        bandwidth_bytes_per_s=_EXPECTED_BYTES_PER_S,
    )
    began_s, kills = time.monotonic(), list[Kill]()
    devices.begin(order)
    for number in range(amount.kills):
        # The first soon, so that even the last leaves time to come back.
        due_s = began_s + (number + 0.15) / amount.kills * amount.inputs / amount.inputs_per_s
        time.sleep(max(0.0, due_s - time.monotonic()))
        told("the cloud is killed")
        kills.append(kill_once(ours))
    told("devices go on asking")
    asked = devices.finish()
    return Outage(
        inputs=each * amount.devices, deadline_s=amount.deadline_s, asked=asked, kills=kills
    )


def kill_once(ours: Side) -> Kill:
    """Kill the process that computes, and wait for another.

    Raises:
        RunError: none comes.
    """
    killed, at_s = ours.replica_pid(), time.monotonic()
    os.kill(killed, signal.SIGKILL)
    while time.monotonic() - at_s < BACK_WITHIN_S:
        time.sleep(_LOOK_EVERY_S)
        if ours.replica_pid() not in (0, killed) and ours.is_ready():
            return Kill(at_s=at_s, back_s=time.monotonic())
    raise RunError(f"the service is not back {BACK_WITHIN_S:g} s after its process was killed")
