"""What a device knows of its link: learned from the answers that came."""

WEIGHT = 0.3
"""Of the newest answer, in the running means."""

RECOVERY = 1.25
"""By which the estimate betters with each request that was not sent."""


class LinkEstimate:
    """Running means of the bandwidth and of the cloud's time.

    Args:
        bandwidth_bytes_per_s: expected before anything was seen, above 0.

    Attributes:
        bandwidth_bytes_per_s: bytes sent over the time on the way, there and back.
        cloud_s: what the cloud takes, its queue included.
    """

    def __init__(self, bandwidth_bytes_per_s: float) -> None:
        self._expected = bandwidth_bytes_per_s
        self.bandwidth_bytes_per_s = bandwidth_bytes_per_s
        self.cloud_s = 0.0

    def saw(self, bytes_sent: int, elapsed_s: float, cloud_s: float) -> None:
        """Note an answer: bytes of all tries, time from the first try, the cloud's part of it."""
        seen = bytes_sent / max(1e-6, elapsed_s - cloud_s)
        self.bandwidth_bytes_per_s += WEIGHT * (seen - self.bandwidth_bytes_per_s)
        self.cloud_s += WEIGHT * (cloud_s - self.cloud_s)

    def late(self) -> None:
        """Note that no answer came in time: the link, or the cloud, is slower than was thought."""
        self.bandwidth_bytes_per_s *= 1.0 - WEIGHT

    def skipped(self) -> None:
        """Note that nothing was sent, as too slow; the estimate recovers, so that it is tried."""
        grown = self.bandwidth_bytes_per_s * RECOVERY
        self.bandwidth_bytes_per_s = max(self.bandwidth_bytes_per_s, min(self._expected, grown))
        self.cloud_s /= RECOVERY
