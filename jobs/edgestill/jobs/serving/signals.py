"""The load of a service's replicas, asked of a Prometheus server that scrapes them."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Self

from edgestill.errors import ConfigurationError, InputError, PromqlError
from edgestill.telemetry import PromqlServer

log = logging.getLogger(__name__)

TIMEOUT_S = 1.0
WINDOW_S = 5
"""Over which a replica's queue is averaged."""


@dataclass(slots=True)
class PrometheusQueue:
    """Requests that wait or run in each replica of a service.

    Attributes:
        server: that is asked.
        run: the service's label.
    """

    server: PromqlServer
    run: str
    _failing: bool = False

    @classmethod
    def of(cls, url: str | None, run: str) -> Self | None:
        """Return the queue as a server has it; None without a server.

        Raises:
            InputError: the address or the token is no such.
        """
        if url is None:
            return None
        try:
            return cls(PromqlServer(url, timeout_s=TIMEOUT_S), run)
        except ConfigurationError as error:
            # It speaks of the configuration of a run.
            text = str(error).replace("allocation.prometheus_url", f"--prometheus-url {url}")
            raise InputError(text) from error

    @property
    def expression(self) -> str:
        """What is asked."""
        series = f'edgestill_serving_queue_requests{{run="{self.run}"}}'
        return f"avg(avg_over_time({series}[{WINDOW_S}s]))"

    def __call__(self) -> float | None:
        """Return the mean of the replicas; None if the server does not know it."""
        try:
            samples = asyncio.run(self._ask())
        except PromqlError as error:
            if not self._failing:
                log.warning("Prometheus does not answer, the replicas are asked: %s", error)
            self._failing = True
            return None
        self._failing = False
        return float(samples[0]) if samples else None

    async def _ask(self) -> list[float]:
        async with self.server.session() as session:
            return [sample.value for sample in await session.query(self.expression)]
