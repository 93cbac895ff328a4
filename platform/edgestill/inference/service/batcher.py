"""Dynamic batching: what arrives while the model is busy is answered in its next call.

No request waits for others to come: an idle model starts at once, and under load batches grow by
themselves. One thread computes, so that the event loop stays free for connections.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter
from typing import Generic, TypeVar

from edgestill.errors import EdgestillError

Content = TypeVar("Content")
Result = TypeVar("Result")


class OverloadError(EdgestillError):
    """More is waiting than may wait; try again later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed(Generic[Result]):
    """A result and what it took.

    Attributes:
        value: the result.
        batch_size: how many were computed together, at least 1.
        queue_s: from the arrival to the start of the computation.
        compute_s: of the whole batch.
    """

    value: Result
    batch_size: int
    queue_s: float
    compute_s: float


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[Content, Result]):
    content: Content
    arrived: float
    future: "asyncio.Future[Timed[Result]]"


class Batcher(Generic[Content, Result]):
    """Feeds a function of many contents from requests of one each.

    Args:
        compute: contents to as many results; called in a thread, one call at a time.
        most_in_batch: contents in one call, at least 1.
        most_waiting: requests that may wait, beyond those in the call; at least 1.
    """

    def __init__(
        self,
        compute: Callable[[Sequence[Content]], Sequence[Result]],
        *,
        most_in_batch: int,
        most_waiting: int,
    ) -> None:
        self._compute = compute
        self._most_in_batch = most_in_batch
        self._most_waiting = most_waiting
        self._waiting: deque[_Waiting[Content, Result]] = deque()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")
        self._busy: asyncio.Task[None] | None = None
        self._computing = 0

    @property
    def waiting(self) -> int:
        """Number of requests that wait."""
        return len(self._waiting)

    @property
    def under_way(self) -> int:
        """Number of requests that wait or are computed."""
        return len(self._waiting) + self._computing

    async def submit(self, content: Content) -> Timed[Result]:
        """Return the result for one content.

        Raises:
            OverloadError: too many wait.
            Exception: what the function raised for the batch that held the content.
        """
        if len(self._waiting) >= self._most_waiting:
            raise OverloadError(f"{len(self._waiting)} requests wait already")
        future: asyncio.Future[Timed[Result]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(content, perf_counter(), future))
        if self._busy is None:
            self._busy = asyncio.create_task(self._work())
        return await future

    async def drain(self) -> None:
        """Return when nothing waits and nothing is computed, and give the thread back."""
        while self._busy is not None:
            await asyncio.shield(self._busy)
        self._thread.shutdown()

    async def _work(self) -> None:
        try:
            while self._waiting:
                await self._one_batch()
        finally:
            self._busy = None

    async def _one_batch(self) -> None:
        count = min(self._most_in_batch, len(self._waiting))
        taken = [self._waiting.popleft() for _ in range(count)]
        # Who has hung up needs no answer.
        batch = [entry for entry in taken if not entry.future.done()]
        if not batch:
            return
        started, self._computing = perf_counter(), len(batch)
        contents = [entry.content for entry in batch]
        try:
            loop = asyncio.get_running_loop()
            results = await loop.run_in_executor(self._thread, self._compute, contents)
        except Exception as error:  # it belongs to those who asked, and is raised to each
            _fail(batch, error)
            return
        finally:
            self._computing = 0
        _settle(batch, results, started, perf_counter() - started)


def _fail(batch: Sequence[_Waiting[Content, Result]], error: Exception) -> None:
    for entry in batch:
        if not entry.future.done():
            entry.future.set_exception(error)


def _settle(
    batch: Sequence[_Waiting[Content, Result]],
    results: Sequence[Result],
    started: float,
    compute_s: float,
) -> None:
    for entry, value in zip(batch, results, strict=True):
        if not entry.future.done():
            timed = Timed(
                value=value,
                batch_size=len(batch),
                queue_s=started - entry.arrived,
                compute_s=compute_s,
            )
            entry.future.set_result(timed)
