"""One question to the cloud: a frame and a deadline; an answer, or why there is none."""

import json
import random
import ssl
from dataclasses import dataclass
from time import monotonic

import httpx
from anyio import fail_after, sleep
from anyio.from_thread import start_blocking_portal

from edgestill.errors import EdgestillError, FrameError, InputError
from edgestill.inference.answer import Answer
from edgestill.inference.client.breaker import CircuitBreaker

MAX_ANSWER_BYTES = 1 << 20
"""Longest answer that is read."""

_RETRIED_STATUSES = frozenset({429, 502, 503, 504})
_FIRST_PAUSE_S = 0.02


class CloudError(EdgestillError):
    """No answer came in time.

    Attributes:
        reason: one word: resting (the breaker is open), deadline, unreachable, refused, malformed.
    """

    def __init__(self, reason: str, line: str) -> None:
        super().__init__(line)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudAnswer:
    """What came back.

    Attributes:
        answer: of the cloud or the fog.
        bytes_sent: of all tries, frames only.
        elapsed_s: from the first try to the answer.
        cloud_s: that part of it which the service says it took, queue included.
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
    last byte, can be given up at its deadline.

    Args:
        url: of the service, such as ``https://host:8443``.
        token: shown as a bearer token; None shows none.
        ca_file: certificates to trust instead of the system's.
        most_tries: requests for one question, at least 1.
        transport: of httpx, for tests.
        seed: of the jitter between tries.

    Raises:
        InputError: ``ca_file`` holds no certificates.
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
        self._http = httpx.AsyncClient(
            base_url=url,
            headers=headers,
            verify=_trusted(ca_file),
            transport=transport,
            trust_env=False,
        )
        self._most_tries = most_tries
        self._breaker = CircuitBreaker()
        self._jitter = random.Random(seed)  # noqa: S311 - no secret
        self._thread = start_blocking_portal()
        self._loop = self._thread.__enter__()

    def close(self) -> None:
        """Close the connections and end the thread."""
        self._loop.call(self._http.aclose)
        self._thread.__exit__(None, None, None)

    def ask(self, frame: bytes, deadline_s: float) -> CloudAnswer:
        """Return the answer to a frame.

        Args:
            frame: what is sent.
            deadline_s: by :func:`time.monotonic`, when an answer is of no more use.

        Raises:
            CloudError: none came.
        """
        return self._loop.call(self._ask, frame, deadline_s)

    async def _ask(self, frame: bytes, deadline_s: float) -> CloudAnswer:
        started = monotonic()
        last = CloudError("deadline", "no time was left to ask the cloud")
        for tried in range(self._most_tries):
            if deadline_s <= monotonic():
                break
            if not self._breaker.allows(monotonic()):
                raise CloudError("resting", "the cloud failed before and is left alone")
            try:
                body = await self._once(frame, deadline_s)
                return _answer_of(body, frame, tried + 1, monotonic() - started)
            except CloudError as error:
                last = error
                if error.reason == "refused":
                    raise
            await sleep(max(0.0, min(self._pause_s(tried), deadline_s - monotonic())))
        raise last

    async def _once(self, frame: bytes, deadline_s: float) -> bytes:
        """Send a request; every outcome is told to the breaker."""
        left_s = deadline_s - monotonic()
        try:
            with fail_after(max(0.0, left_s)):
                status, body = await self._exchange(frame)
        except TimeoutError as error:
            raise self._failure("deadline", f"no answer within {left_s:.3f} s") from error
        except httpx.HTTPError as error:
            raise self._failure("unreachable", f"{type(error).__name__}: {error}") from error
        if status in _RETRIED_STATUSES or status >= 500:
            raise self._failure("unreachable", f"the service answers {status}")
        self._breaker.succeeded()
        if status != 200:
            raise CloudError("refused", f"the service answers {status}: {body[:200]!r}")
        return body

    async def _exchange(self, frame: bytes) -> tuple[int, bytes]:
        """Send a frame and read the answer, no more of it than its cap."""
        async with self._http.stream("POST", "/v1/answers", content=frame, timeout=None) as answer:
            body = b""
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > MAX_ANSWER_BYTES:
                    raise httpx.DecodingError(f"the answer exceeds {MAX_ANSWER_BYTES} bytes")
        return answer.status_code, body

    def _failure(self, reason: str, line: str) -> CloudError:
        self._breaker.failed(monotonic())
        return CloudError(reason, line)

    def _pause_s(self, tried: int) -> float:
        """Return a pause of full jitter, doubling from try to try."""
        return self._jitter.uniform(0.0, _FIRST_PAUSE_S * 2.0**tried)


def _answer_of(body: bytes, frame: bytes, tries: int, elapsed_s: float) -> CloudAnswer:
    try:
        values = json.loads(body)
        return CloudAnswer(
            answer=Answer.of(values["answer"]),
            bytes_sent=len(frame) * tries,
            elapsed_s=elapsed_s,
            cloud_s=float(values["queue_s"]) + float(values["compute_s"]),
            tries=tries,
        )
    except (ValueError, KeyError, TypeError, RecursionError, FrameError) as error:
        raise CloudError("malformed", f"not an answer: {type(error).__name__}") from error


def _trusted(ca_file: str | None) -> ssl.SSLContext | bool:
    if ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise InputError(f"{ca_file}: no certificates to trust can be read from it") from error
