"""What a device knows of a link: learned from the answers that came."""

import threading

from edgestill.inference.gates import Link

WEIGHT = 0.3
"""Of the newest answer, in the running means."""

RECOVERY = 1.25
"""By which the estimate betters with each request that was not sent."""

SPREAD = 0.1
"""Frames must vary in size by about this share of their mean to tell bandwidth from round trip."""


class LinkEstimate:
    """Round trip, bandwidth and the cloud's time, from running means; several threads may use it.

    The time on the way is taken as ``round trip + bytes / bandwidth``, fitted by least squares over
    the recent past. Frames of one size do not tell the two apart: then the bandwidth is as it was
    expected, or what the time allows if that is more.

    Args:
        bandwidth_bytes_per_s: expected before anything was seen, above 0.
    """

    def __init__(self, bandwidth_bytes_per_s: float) -> None:
        self._expected_s_per_byte = 1.0 / bandwidth_bytes_per_s
        self._mean_bytes = self._mean_s = 0.0
        self._variance = self._covariance = 0.0
        self._cloud_s = 0.0
        self._slowness = 1.0
        self._lock = threading.Lock()

    @property
    def now(self) -> Link:
        """What an answer is expected to take."""
        with self._lock:
            per_byte = self._s_per_byte()
            round_trip_s = max(0.0, self._mean_s - per_byte * self._mean_bytes)
            return Link(
                bandwidth_bytes_per_s=1.0 / (per_byte * self._slowness),
                round_trip_s=round_trip_s * self._slowness,
                cloud_s=self._cloud_s * self._slowness,
            )

    def saw(self, bytes_sent: int, elapsed_s: float, cloud_s: float) -> None:
        """Note an answer: bytes of all tries, time from the first try, the cloud's part of it."""
        with self._lock:
            self._note(bytes_sent, elapsed_s, cloud_s)

    def late(self) -> None:
        """Note that no answer came in time: the link, or the cloud, is slower than was thought."""
        with self._lock:
            self._slowness = max(1.0, self._slowness) / (1.0 - WEIGHT)

    def skipped(self) -> None:
        """Note that nothing was sent, as too slow; the estimate recovers, so that it is tried."""
        with self._lock:
            self._slowness /= RECOVERY

    def _note(self, bytes_sent: int, elapsed_s: float, cloud_s: float) -> None:
        way_s = max(1e-6, elapsed_s - cloud_s)
        weight = WEIGHT if self._mean_bytes else 1.0
        more_bytes, more_s = bytes_sent - self._mean_bytes, way_s - self._mean_s
        self._mean_bytes += weight * more_bytes
        self._mean_s += weight * more_s
        kept = 1.0 - weight
        self._variance = kept * (self._variance + weight * more_bytes * more_bytes)
        self._covariance = kept * (self._covariance + weight * more_bytes * more_s)
        self._cloud_s += weight * (cloud_s - self._cloud_s)
        self._slowness = 1.0

    def _s_per_byte(self) -> float:
        if not self._mean_bytes:
            return self._expected_s_per_byte
        # A prior worth frames that vary by SPREAD, so that sizes alike leave what was expected.
        prior = (SPREAD * self._mean_bytes) ** 2
        fitted = (self._covariance + prior * self._expected_s_per_byte) / (self._variance + prior)
        # All of the time may have gone by bytes, and none may have gone backwards.
        return min(max(fitted, 1e-12), self._mean_s / self._mean_bytes)
