"""Gates that keep within a budget: a share of the inputs or a bit rate over a window, a deadline.

Pure state machines: what is decided follows from what came before and the clock that is passed in.
"""

from collections import deque
from dataclasses import dataclass, field

from edgestill.errors import InputError


@dataclass(slots=True, kw_only=True)
class BudgetedGate:
    """Offloads what is hard, and never more than a budget over any window.

    Attributes:
        threshold: of hardness; above it an input is offloaded if the budget allows.
        window_s: length of the window in seconds, above 0.
        bytes_per_window: most bytes sent in any window; None is without bound.
        share: most of a window's inputs offloaded, 0..1; None is without bound. An input counts
            itself, so that with a share of 0.5 the first is kept and the second may go.
    """

    threshold: float
    window_s: float
    bytes_per_window: float | None = None
    share: float | None = None
    _seen: deque[tuple[float, int]] = field(default_factory=deque, init=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse a window or a share that is out of range."""
        if not self.window_s > 0.0:
            raise InputError(f"gate: a window of {self.window_s:g} s; expected above 0")
        if self.share is not None and not 0.0 <= self.share <= 1.0:
            raise InputError(f"gate: a share of {self.share:g}; expected 0 to 1")

    def decide(self, hardness: float, payload_bytes: int, now_s: float) -> bool:
        """Return whether to offload an input, and take what it costs from the budget.

        Args:
            hardness: of the input.
            payload_bytes: what offloading it would send, at least 1.
            now_s: a clock that never goes back.
        """
        while self._seen and self._seen[0][0] <= now_s - self.window_s:
            self._seen.popleft()
        offloaded = hardness > self.threshold and self._affords(payload_bytes)
        self._seen.append((now_s, payload_bytes if offloaded else 0))
        return offloaded

    def _affords(self, payload_bytes: int) -> bool:
        sent = [size for _, size in self._seen if size]
        fits = self.bytes_per_window is None or sum(sent) + payload_bytes <= self.bytes_per_window
        within = self.share is None or len(sent) + 1 <= self.share * (len(self._seen) + 1)
        return fits and within


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What is known of the way to the cloud and back.

    Attributes:
        bandwidth_bytes_per_s: of the uplink, above 0.
        round_trip_s: without the payload.
        cloud_s: what the cloud takes to answer, its queue included.
    """

    bandwidth_bytes_per_s: float
    round_trip_s: float
    cloud_s: float

    def answer_s(self, payload_bytes: float) -> float:
        """Return how long an answer to a payload takes to come back."""
        return self.round_trip_s + payload_bytes / self.bandwidth_bytes_per_s + self.cloud_s


def in_time(link: Link, payload_bytes: float, left_s: float) -> bool:
    """Return whether the cloud's answer would come within the time that is left."""
    return link.answer_s(payload_bytes) <= left_s
