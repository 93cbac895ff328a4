"""The limits of a service, each with what it protects, and who is asked above it."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class AboveSettings:
    """The tier that a fog hands hard inputs on to.

    Attributes:
        url: of its service.
        token: shown to it; None shows none.
        ca_file: certificates to trust instead of the system's.
        doubt: above it the fog's answer is handed on: 1 minus the answer's confidence, 0..1; None
            is the model's own.
    """

    url: str
    token: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    doubt: float | None = None


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
        above: whom a fog asks; None of a cloud.
    """

    max_frame_bytes: int = 1 << 20
    most_in_batch: int = 32
    most_waiting: int = 256
    requests_per_s: float | None = None
    burst: int = 32
    token: str | None = field(default=None, repr=False)
    above: AboveSettings | None = None
