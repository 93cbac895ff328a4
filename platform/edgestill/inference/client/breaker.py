"""A circuit breaker: after failures the cloud is left alone for a while, then tried once.

After M. Nygard, Release It!, 2nd edition, 2018, chapter 5.
"""

from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class CircuitBreaker:
    """Counts failures in a row.

    Attributes:
        failures_to_open: failures in a row after which nothing is sent, at least 1.
        rest_s: seconds until one request may try again; doubles with each failed trial.
        longest_rest_s: it never rests longer.
    """

    failures_to_open: int = 3
    rest_s: float = 0.5
    longest_rest_s: float = 30.0
    _failures: int = field(default=0, init=False)
    _closed_until_s: float = field(default=0.0, init=False)
    _trying: bool = field(default=False, init=False)

    @property
    def open(self) -> bool:
        """Whether the last requests failed, so that the cloud is left alone."""
        return self._failures >= self.failures_to_open

    def rests(self, now_s: float) -> bool:
        """Return whether no request may be sent now."""
        return self.open and (self._trying or now_s < self._closed_until_s)

    def allows(self, now_s: float) -> bool:
        """Return whether a request may be sent now; in the open state one trial at a time."""
        if self.rests(now_s):
            return False
        self._trying = self.open
        return True

    def succeeded(self) -> None:
        """Note an answer: all requests may be sent again."""
        self._failures, self._trying = 0, False

    def failed(self, now_s: float) -> None:
        """Note a failure; one of a request that was sent before the rest began adds nothing."""
        if self.open and not self._trying:
            return
        self._failures, self._trying = self._failures + 1, False
        beyond = self._failures - self.failures_to_open
        if beyond >= 0:
            # 2**64 seconds are more than anyone rests.
            rest_s = self.rest_s * 2.0 ** min(beyond, 64)
            self._closed_until_s = now_s + min(self.longest_rest_s, rest_s)
