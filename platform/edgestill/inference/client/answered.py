"""What one call on a device gives, and how it comes about."""

from dataclasses import dataclass, replace

from edgestill.inference.answer import Answer
from edgestill.inference.client.cloud import CloudAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class JointAnswer:
    """What one call gives.

    Attributes:
        answer: by the device or by who it asked.
        reason: why it is that one's: ``confident`` (not hard), ``asked``; or why the device's own
            stands though it was hard: ``link`` (no rate arrives in time), ``budget`` (the device's
            level allows no more), ``worth`` (no rate is worth its price), ``alone`` (nobody to
            ask), or the reason of :class:`edgestill.inference.client.CloudError`.
        hardness: by the gate, 0..1.
        rate: of what was sent; None if nothing was.
        bytes_sent: frames, all tries, whether or not an answer came.
        edge_s: the device's own look.
        encode_s: merging and coding of what was sent.
        link_s: on the way, there and back; all of the waiting if no answer came.
        cloud_s: with those who were asked, queue included.
        said: where an answer did not come, why, in one line.
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
    said: str = ""


def answered(own: JointAnswer, came: CloudAnswer, waited_s: float, sent: int) -> JointAnswer:
    """Return the answer of another tier in the place of a device's own.

    Args:
        own: the device's, with what was sent.
        came: the other tier's.
        waited_s: from the first frame sent to the answer.
        sent: bytes of all frames.
    """
    return replace(
        own,
        answer=came.answer,
        reason="asked",
        bytes_sent=sent,
        link_s=max(0.0, waited_s - came.cloud_s),
        cloud_s=came.cloud_s,
    )
