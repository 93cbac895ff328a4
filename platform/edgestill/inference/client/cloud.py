"""One question to another tier: a frame and a deadline; an answer, or why there is none."""

import json
import random
from concurrent.futures import Future
from dataclasses import dataclass
from time import monotonic

import httpx
from anyio import fail_after, sleep
from anyio.from_thread import start_blocking_portal

from edgestill.errors import FrameError
from edgestill.inference.answer import Answer
from edgestill.inference.client.breaker import CircuitBreaker
from edgestill.inference.client.errors import CloudError
from edgestill.inference.client.trust import checked_url, distrust, trusted
from edgestill.inference.client.untold import Untold
from edgestill.inference.wire import DEADLINE_HEADER, INPUTS_HEADER, LONGEST_DEADLINE_MS

MAX_ANSWER_BYTES = 1 << 20
"""Longest answer that is read."""

_RETRIED_STATUSES = frozenset({429, 502, 503})
_TOO_LATE = 504
_NOT_RETRIED = frozenset({"refused", "untrusted"})
_SOUND = frozenset({"refused", "malformed"})
"""Outcomes after which the service need not be left alone: it is there and answers."""

_FIRST_PAUSE_S = 0.02
_SHOWN_CHARACTERS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudAnswer:
    """What came back.

    Attributes:
        answer: of the cloud or the fog.
        bytes_sent: of all tries, frames only.
        elapsed_s: from the first try to the answer.
        cloud_s: that part of it which the service says it took: its queue, its model, and what it
            waited for a tier above it.
        tries: requests sent, at least 1.
    """

    answer: Answer
    bytes_sent: int
    elapsed_s: float
    cloud_s: float
    tries: int


class CloudClient:
    """Asks one service; safe to use from several threads.

    Requests run in an event loop of their own thread, where a whole request, from connecting to the
    last byte, can be given up at its deadline. A request tells how many inputs its sender has
    looked at since the last one that was answered (:meth:`looked_at`).

    Args:
        url: of the service, such as ``https://host:8443``.
        token: shown as a bearer token; None shows none.
        ca_file: certificates to trust instead of the system's.
        most_tries: requests for one question, at least 1.
        transport: of httpx, for tests.
        seed: of the jitter between tries.

    Raises:
        InputError: ``url`` is no address of HTTP, or ``ca_file`` holds no certificates.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        ca_file: str | None = None,
        most_tries: int = 3,
        transport: httpx.AsyncBaseTransport | None = None,
        seed: int = 0,
    ) -> None:
        headers = {"Content-Type": "application/octet-stream"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        self.url = checked_url(url)
        self._http = httpx.AsyncClient(
            base_url=url,
            headers=headers,
            verify=trusted(ca_file),
            transport=transport,
            trust_env=False,
        )
        self._most_tries = most_tries
        self._untold = Untold()
        self._breaker = CircuitBreaker()
        self._jitter = random.Random(seed)  # noqa: S311 - no secret
        self._thread = start_blocking_portal()
        self._loop = self._thread.__enter__()

    @property
    def resting(self) -> bool:
        """Whether the service failed before and is left alone for now."""
        return self._breaker.rests(monotonic())

    def close(self) -> None:
        """Close the connections and end the thread."""
        self._loop.call(self._http.aclose)
        self._thread.__exit__(None, None, None)

    def looked_at(self, inputs: int = 1) -> None:
        """Note inputs that were looked at; the next request tells of them."""
        self._untold.add(inputs)

    def ask(self, frame: bytes, deadline_s: float) -> CloudAnswer:
        """Return the answer to a frame.

        Args:
            frame: what is sent.
            deadline_s: by :func:`time.monotonic`, when an answer is of no more use.

        Raises:
            CloudError: none came.
        """
        return self._loop.call(self._ask, frame, deadline_s)

    def begin(self, frame: bytes, deadline_s: float) -> "Future[CloudAnswer]":
        """Ask as :meth:`ask` does, without waiting; cancelling the future gives the request up."""
        return self._loop.start_task_soon(self._ask, frame, deadline_s)

    async def _ask(self, frame: bytes, deadline_s: float) -> CloudAnswer:
        """Ask with retries; the breaker is told how the question ended, however many they were."""
        if not self._breaker.allows(monotonic()):
            raise CloudError("resting", f"{self.url}: it failed and is left alone for a while")
        try:
            answer = await self._tried(frame, deadline_s)
        except CloudError as error:
            if error.reason in _SOUND:
                self._breaker.succeeded()
            else:
                self._breaker.failed(monotonic())
            raise
        except BaseException:
            # Given up from outside: a trial must not stay under way for ever.
            self._breaker.failed(monotonic())
            raise
        self._breaker.succeeded()
        return answer

    async def _tried(self, frame: bytes, deadline_s: float) -> CloudAnswer:
        started, sent = monotonic(), 0
        last = CloudError("deadline", f"{self.url}: no time was left to ask")
        for tried in range(self._most_tries):
            if deadline_s <= monotonic():
                break
            sent += len(frame)
            try:
                body = await self._once(frame, deadline_s)
                return self._answer_of(body, sent, tried + 1, monotonic() - started)
            except CloudError as error:
                last = error
                if error.reason in _NOT_RETRIED:
                    break
            await sleep(max(0.0, min(self._pause_s(tried), deadline_s - monotonic())))
        last.bytes_sent = sent
        raise last

    async def _once(self, frame: bytes, deadline_s: float) -> bytes:
        left_s = deadline_s - monotonic()
        try:
            with fail_after(max(0.0, left_s)):
                status, body = await self._exchange(frame, left_s)
        except TimeoutError as error:
            raise self._error("deadline", f"no answer within {left_s:.3f} s") from error
        except httpx.HTTPError as error:
            if (reason := distrust(error)) is not None:
                raise self._error("untrusted", f"its certificate: {reason}") from error
            raise self._error("unreachable", f"{type(error).__name__}: {error}") from error
        if status == _TOO_LATE:
            raise self._error("deadline", f"no answer within {left_s:.3f} s")
        if status in _RETRIED_STATUSES or status >= 500:
            raise self._error("unreachable", f"the service answers {status}")
        if status != 200:
            raise self._error("refused", f"the service answers {status}: {_said(body)}")
        return body

    async def _exchange(self, frame: bytes, left_s: float) -> tuple[int, bytes]:
        """Send a frame and read the answer, no more of it than its cap."""
        told = self._untold.take()
        left_ms = min(LONGEST_DEADLINE_MS, max(1, int(1e3 * left_s)))
        headers = {INPUTS_HEADER: str(told), DEADLINE_HEADER: str(left_ms)}
        try:
            async with self._http.stream(
                "POST", "/v1/answers", content=frame, headers=headers, timeout=None
            ) as answer:
                body = b""
                async for part in answer.aiter_bytes():
                    body += part
                    if len(body) > MAX_ANSWER_BYTES:
                        raise httpx.DecodingError(f"the answer exceeds {MAX_ANSWER_BYTES} bytes")
        except BaseException:
            self._untold.add(told)
            raise
        if answer.status_code != 200:
            self._untold.add(told)
        return answer.status_code, body

    def _error(self, reason: str, line: str) -> CloudError:
        return CloudError(reason, f"{self.url}: {line}")

    def _pause_s(self, tried: int) -> float:
        """Return a pause of full jitter, doubling from try to try."""
        return self._jitter.uniform(0.0, _FIRST_PAUSE_S * 2.0**tried)

    def _answer_of(self, body: bytes, sent: int, tries: int, elapsed_s: float) -> CloudAnswer:
        try:
            values = json.loads(body)
            parts = values["queue_s"], values["compute_s"], values.get("above_s", 0.0)
            return CloudAnswer(
                answer=Answer.of(values["answer"]),
                bytes_sent=sent,
                elapsed_s=elapsed_s,
                cloud_s=sum(map(float, parts)),
                tries=tries,
            )
        except (ValueError, KeyError, TypeError, RecursionError, FrameError) as error:
            raise self._error("malformed", f"not an answer: {type(error).__name__}") from error


def _said(body: bytes) -> str:
    """Return what a service says to a refused request, on one line."""
    try:
        line = str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError, RecursionError):
        line = body.decode("utf-8", "replace")
    return " ".join(line.split())[:_SHOWN_CHARACTERS]
