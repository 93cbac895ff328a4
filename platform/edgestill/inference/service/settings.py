"""The limits of a service, each with what it protects."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """What a service accepts.

    Attributes:
        max_frame_bytes: of one request; more is refused before it is read.
        most_in_batch: requests in one call of the model.
        most_waiting: requests that may wait; beyond them a client is told to come again.
        requests_per_s: of one client in the mean; None is without limit.
        burst: requests of one client at once.
        token: what clients must show; None lets everybody in.
    """

    max_frame_bytes: int = 1 << 20
    most_in_batch: int = 32
    most_waiting: int = 256
    requests_per_s: float | None = None
    burst: int = 32
    token: str | None = None
