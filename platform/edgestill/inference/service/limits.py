"""How much one client may ask: a token bucket for each, of a bounded number of clients."""

from collections import OrderedDict
from dataclasses import dataclass

MOST_CLIENTS = 10_000
"""Clients that are remembered; the one silent for longest is forgotten first."""


@dataclass(frozen=True, slots=True)
class _Bucket:
    tokens: float
    at_s: float


class RateLimit:
    """Lets each client ask ``per_s`` times a second in the mean, and ``burst`` times at once.

    Args:
        per_s: requests per second, above 0.
        burst: requests at once, at least 1.
    """

    def __init__(self, *, per_s: float, burst: int) -> None:
        self._per_s = per_s
        self._burst = burst
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def wait_s(self, client: str, now_s: float) -> float:
        """Take a request from a client; return 0, or the seconds until it may ask again.

        Args:
            client: who asks, such as the hash of its token.
            now_s: a clock that never goes back.
        """
        bucket = self._buckets.pop(client, _Bucket(float(self._burst), now_s))
        tokens = min(float(self._burst), bucket.tokens + (now_s - bucket.at_s) * self._per_s)
        allowed = tokens >= 1.0
        self._buckets[client] = _Bucket(tokens - 1.0 if allowed else tokens, now_s)
        if len(self._buckets) > MOST_CLIENTS:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1.0 - tokens) / self._per_s
