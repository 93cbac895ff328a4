"""One replica's state: the model it serves, its limits, whether it takes requests."""

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from edgestill.codec.frame import fingerprint_of
from edgestill.errors import FrameError
from edgestill.inference.answer import Answer
from edgestill.inference.service.above import Above, Better
from edgestill.inference.service.batcher import Batcher, OverloadError, Timed
from edgestill.inference.service.limits import RateLimit
from edgestill.inference.service.metrics import ServingMetrics
from edgestill.inference.service.refusal import RefusalError
from edgestill.inference.service.served import Served
from edgestill.inference.service.settings import ServiceSettings
from edgestill.inference.service.told import Told

_log = logging.getLogger(__name__)

_RETRY_S = 0.1


@dataclass(frozen=True, slots=True)
class _Request:
    """A content and the model that read it: a reload may come between reading and answering."""

    served: Served
    content: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer, and where its time went.

    Attributes:
        timed: the model's own answer.
        better: what is answered in the end.
    """

    timed: Timed[Answer]
    better: Better


class Service:
    """Answers frames with one model, many at a time.

    Args:
        served: the model.
        settings: the limits, and who is asked for what the model finds hard.

    Raises:
        InputError: the address of the tier above, or its certificates, are no such.
    """

    def __init__(self, served: Served, settings: ServiceSettings) -> None:
        self.settings = settings
        self._served = served
        self._batcher: Batcher[_Request, Answer] = Batcher(
            _answer_all,
            most_in_batch=settings.most_in_batch,
            most_waiting=settings.most_waiting,
        )
        self.metrics = ServingMetrics(lambda: self.under_way)
        self._above = Above(settings.above) if settings.above else None
        self._limit = (
            RateLimit(per_s=settings.requests_per_s, burst=settings.burst)
            if settings.requests_per_s
            else None
        )
        self.draining = False

    @property
    def under_way(self) -> int:
        """Number of requests that wait or are computed."""
        return self._batcher.under_way

    def describe(self) -> dict[str, Any]:
        """Return what is served: the fingerprint in hexadecimal, and what the model says."""
        return {"fingerprint": f"{self._served.fingerprint:08x}", **self._served.describe()}

    def reload(self, served: Served) -> None:
        """Serve another model from the next request on; those under way end with the old one."""
        self._served = served

    async def drain(self) -> None:
        """Refuse new requests, and return when the last one is answered."""
        self.draining = True
        await self._batcher.drain()

    def close(self) -> None:
        """Let go of the tier above; after the last answer."""
        if self._above is not None:
            self._above.close()

    def admit(self, authorization: str, address: str) -> None:
        """Check who asks, and how often.

        Args:
            authorization: the header of that name, "" without one.
            address: of the client.

        Raises:
            RefusalError: draining, a wrong token, or too many requests.
        """
        if self.draining:
            raise RefusalError(503, "overloaded", "the replica drains; ask another", _RETRY_S)
        token = self.settings.token
        if token is not None and not _same(authorization, f"Bearer {token}"):
            raise RefusalError(401, "token", "the header Authorization lacks the service's token")
        if self._limit is None:
            return
        who = hashlib.sha256(f"{authorization} {address}".encode()).hexdigest()
        wait_s = self._limit.wait_s(who, monotonic())
        if wait_s:
            raise RefusalError(
                429, "rate", f"too many requests; come again in {wait_s:.2f} s", wait_s
            )

    async def answer(self, frame: bytes, told: Told) -> Reply:
        """Return the answer to a frame.

        Raises:
            RefusalError: a bad frame, one for another model, too many that wait, a failing model,
                or no answer within the request's deadline.
        """
        self.metrics.inputs.inc(told.inputs)
        request = self._read(frame)
        timed = await self._own(request, told.until_s)
        self.metrics.batch_size.observe(timed.batch_size)
        if self._above is None:
            return Reply(timed=timed, better=Better(answer=timed.value, outcome="easy"))
        self._above.looked_at(told.inputs)
        doubt = request.served.doubt
        better = await self._above.better(timed.value, frame, told.until_s, doubt)
        self.metrics.forwarded.labels(outcome=better.outcome).inc()
        return Reply(timed=timed, better=better)

    async def _own(self, request: _Request, until_s: float) -> Timed[Answer]:
        left_s = until_s - monotonic()
        try:
            # Who waits no longer is taken out of the queue.
            async with asyncio.timeout(left_s):
                return await self._batcher.submit(request)
        except OverloadError as error:
            raise RefusalError(503, "overloaded", f"{error}; come again", _RETRY_S) from error
        except TimeoutError as error:
            raise RefusalError(504, "deadline", f"no answer within {left_s:.3f} s") from error
        except Exception as error:
            _log.exception("the model failed on a batch")
            raise RefusalError(
                500, "model_failed", f"{type(error).__name__} in the model"
            ) from error

    def _read(self, frame: bytes) -> _Request:
        served = self._served
        try:
            return _Request(served, served.read(frame))
        except FrameError as error:
            owner = fingerprint_of(frame)
            if owner is not None and owner != served.fingerprint:
                raise RefusalError(
                    409,
                    "model",
                    f"the frame is for model {owner:08x}; this is {served.fingerprint:08x}",
                ) from error
            raise RefusalError(400, "frame", str(error)) from error


def _answer_all(requests: Sequence[_Request]) -> list[Answer]:
    """Answer requests in their order, those of one model together."""
    answers: dict[int, Answer] = {}
    for served in {id(request.served): request.served for request in requests}.values():
        places = [place for place, request in enumerate(requests) if request.served is served]
        found = served.answer([requests[place].content for place in places])
        answers.update(zip(places, found, strict=True))
    return [answers[place] for place in range(len(requests))]


def _same(given: str, expected: str) -> bool:
    """Compare in constant time; a header may hold any bytes."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())
