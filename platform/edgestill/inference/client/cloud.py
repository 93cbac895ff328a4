"""One question to the cloud: a frame and a deadline; an answer, or why there is none."""

import json
import random
import ssl
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any

import httpx

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

    Args:
        url: of the service, such as ``https://host:8443``.
        token: shown as a bearer token; None shows none.
        ca_file: certificates to trust instead of the system's.
        most_tries: requests for one question, at least 1.
        transport: of httpx, for tests.
        seed: of the jitter between tries.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        ca_file: str | None = None,
        most_tries: int = 3,
        transport: httpx.BaseTransport | None = None,
        seed: int = 0,
    ) -> None:
        headers = {"Content-Type": "application/octet-stream"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        self._http = httpx.Client(
            base_url=url,
            headers=headers,
            verify=_trusted(ca_file),
            transport=transport,
            trust_env=False,
        )
        self._most_tries = most_tries
        self._breaker = CircuitBreaker()
        self._jitter = random.Random(seed)  # noqa: S311 - no secret

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def ask(self, frame: bytes, deadline_s: float) -> CloudAnswer:
        """Return the answer to a frame.

        Args:
            frame: what is sent.
            deadline_s: by :func:`time.monotonic`, when an answer is of no more use.

        Raises:
            CloudError: none came.
        """
        started = monotonic()
        last = CloudError("deadline", "no time was left to ask the cloud")
        for tried in range(self._most_tries):
            left_s = deadline_s - monotonic()
            if left_s <= 0.0:
                break
            if not self._breaker.allows(monotonic()):
                raise CloudError("resting", "the cloud failed before and is left alone")
            try:
                values = self._once(frame, left_s)
                return _answer_of(values, frame, tried + 1, monotonic() - started)
            except CloudError as error:
                last = error
                if error.reason == "refused":
                    raise
            sleep(max(0.0, min(self._pause_s(tried), deadline_s - monotonic())))
        raise last

    def _once(self, frame: bytes, left_s: float) -> Any:
        """Send a request; every outcome is told to the breaker."""
        try:
            response = self._exchange(frame, monotonic() + left_s)
        except httpx.TimeoutException as error:
            raise self._failure("deadline", f"no answer within {left_s:.3f} s") from error
        except httpx.HTTPError as error:
            raise self._failure("unreachable", f"{type(error).__name__}: {error}") from error
        status, body = response
        if status in _RETRIED_STATUSES or status >= 500:
            raise self._failure("unreachable", f"the service answers {status}")
        self._breaker.succeeded()
        if status != 200:
            raise CloudError("refused", f"the service answers {status}: {body[:200]!r}")
        return body

    def _exchange(self, frame: bytes, deadline_s: float) -> tuple[int, bytes]:
        """Send a frame and read the answer, no longer and no more than the caps.

        httpx bounds each read, not their sum: a service that drips would hold the device for ever.
        """
        timeout = httpx.Timeout(max(1e-3, deadline_s - monotonic()))
        with self._http.stream("POST", "/v1/answers", content=frame, timeout=timeout) as response:
            body = b""
            for part in response.iter_bytes():
                body += part
                if len(body) > MAX_ANSWER_BYTES:
                    raise httpx.DecodingError(f"the answer exceeds {MAX_ANSWER_BYTES} bytes")
                if monotonic() > deadline_s:
                    raise httpx.ReadTimeout("the answer drips")
        return response.status_code, body

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
