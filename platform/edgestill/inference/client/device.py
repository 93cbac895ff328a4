"""A device's one call: the answer, who gave it, what was sent, and where the time went.

The device answers first. What its gate finds hard goes to the cloud as features, at the largest
rate that the link bears within the deadline. Where the cloud is slow, wrong or gone, the device's
own answer stands, and says so.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Protocol

from numpy.typing import NDArray

from edgestill.codec.rates import choose_rate
from edgestill.errors import RateError
from edgestill.inference.answer import Answer
from edgestill.inference.client.cloud import CloudAnswer, CloudClient, CloudError
from edgestill.inference.client.link import LinkEstimate
from edgestill.inference.gates import Answers, Hardness

Inputs = Mapping[str, NDArray[Any]]

RESERVE_S = 0.005
"""Of the deadline, kept back to fall back in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """What a device makes of an input by itself.

    Attributes:
        answer: its own.
        answers: the same as a gate sees it, one row.
        features: what :meth:`EdgeHalf.encode` takes.
    """

    answer: Answer
    answers: Answers
    features: Any


class EdgeHalf(Protocol):
    """The half of a split model that runs on the device."""

    @property
    def bytes_by_rate(self) -> Sequence[int]:
        """Expected bytes of a frame at each rate, ascending."""
        ...

    def look(self, inputs: Inputs) -> Glance:
        """Return what the device makes of one input, arrays by kind.

        Raises:
            InputError: an input of the wrong kind, shape or type.
        """
        ...

    def encode(self, features: Any, rate: int) -> bytes:
        """Return the frame of an input's features at a rate."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JointAnswer:
    """What one call gives.

    Attributes:
        answer: by the device or by who it asked.
        reason: why it is that one's: ``confident`` (not hard), ``asked``; or why the device's own
            stands though it was hard: ``link`` (no rate arrives in time), ``resting``,
            ``deadline``, ``unreachable``, ``refused``, ``malformed``, ``alone`` (no cloud given).
        hardness: by the gate, 0..1.
        rate: of the features that were sent; None if none were.
        bytes_sent: frames, all tries.
        edge_s: the device's own look.
        encode_s: merging and coding of what was sent.
        link_s: on the way, there and back.
        cloud_s: in the cloud, queue included.
    """

    answer: Answer
    reason: str
    hardness: float
    rate: int | None = None
    bytes_sent: int = 0
    edge_s: float = 0.0
    encode_s: float = 0.0
    link_s: float = 0.0
    cloud_s: float = 0.0


class EdgeClient:
    """Answers inputs on a device; needs neither Ray nor the teacher.

    Args:
        half: the device's model.
        hardness: how hard an input is, from what the device answered.
        threshold: above it an input is handed on.
        cloud: whom to ask; None answers all alone.
        deadline_s: from a call to its answer.
        bandwidth_bytes_per_s: of the uplink, until it has been seen.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        half: EdgeHalf,
        *,
        hardness: Hardness,
        threshold: float,
        cloud: CloudClient | None,
        deadline_s: float,
        bandwidth_bytes_per_s: float,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._half = half
        self._hardness = hardness
        self._threshold = threshold
        self._cloud = cloud
        self._deadline_s = deadline_s
        self._link = LinkEstimate(bandwidth_bytes_per_s)
        self._clock = clock

    def answer(self, inputs: Inputs) -> JointAnswer:
        """Return the answer to one input, within the deadline if the device itself is fast enough.

        Raises:
            InputError: an input of the wrong kind, shape or type.
        """
        started = self._clock()
        glance = self._half.look(inputs)
        edge_s = self._clock() - started
        hardness = float(self._hardness(glance.answers)[0])
        own = JointAnswer(
            answer=glance.answer, reason="confident", hardness=hardness, edge_s=edge_s
        )
        if hardness <= self._threshold:
            return own
        return self._handed_on(glance, own, started + self._deadline_s - RESERVE_S)

    def answers(self, stream: Iterable[Inputs]) -> Iterator[JointAnswer]:
        """Yield the answer to each input of a stream, as it comes."""
        return map(self.answer, stream)

    def _handed_on(self, glance: Glance, own: JointAnswer, until_s: float) -> JointAnswer:
        if self._cloud is None:
            return _stands(own, "alone")
        try:
            rate = choose_rate(
                self._half.bytes_by_rate,
                bandwidth_bytes_per_s=self._link.bandwidth_bytes_per_s,
                deadline_s=max(0.0, until_s - self._clock()),
                compute_s=self._link.cloud_s,
            )
        except RateError:
            self._link.skipped()
            return _stands(own, "link")
        began = self._clock()
        frame = self._half.encode(glance.features, rate)
        encode_s = self._clock() - began
        try:
            came = self._cloud.ask(frame, until_s)
        except CloudError as error:
            if error.reason == "deadline":
                self._link.late()
            return _stands(own, error.reason, rate=rate, encode_s=encode_s)
        self._link.saw(came.bytes_sent, came.elapsed_s, came.cloud_s)
        return _asked(own, came, rate, encode_s)


def _stands(
    own: JointAnswer, reason: str, *, rate: int | None = None, encode_s: float = 0.0
) -> JointAnswer:
    return JointAnswer(
        answer=own.answer,
        reason=reason,
        hardness=own.hardness,
        rate=rate,
        edge_s=own.edge_s,
        encode_s=encode_s,
    )


def _asked(own: JointAnswer, came: CloudAnswer, rate: int, encode_s: float) -> JointAnswer:
    return JointAnswer(
        answer=came.answer,
        reason="asked",
        hardness=own.hardness,
        rate=rate,
        bytes_sent=came.bytes_sent,
        edge_s=own.edge_s,
        encode_s=encode_s,
        link_s=max(0.0, came.elapsed_s - came.cloud_s),
        cloud_s=came.cloud_s,
    )
