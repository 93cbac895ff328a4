"""How many inputs a sender has looked at and not told of; a service's offload rate needs them."""

import threading


class Untold:
    """A counter that several threads fill and empty."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    def add(self, count: int) -> None:
        """Count so many more."""
        with self._lock:
            self._count += count

    def take(self) -> int:
        """Return the count and begin again at 0."""
        with self._lock:
            count, self._count = self._count, 0
        return count
