"""What a Prometheus server answers, read strictly."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgestill.errors import PromqlError


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One series of an instant vector; the value may be NaN or infinite."""

    labels: Mapping[str, str]
    value: float


def read_answer(status: int, body: bytes) -> tuple[Sample, ...]:
    """Return the instant vector in an answer of ``/api/v1/query``.

    Args:
        status: of HTTP; an error may carry its cause as JSON too.
        body: the whole answer.

    Raises:
        PromqlError: it is an error, or not what Prometheus documents.
    """
    if status in (401, 403):
        raise PromqlError(
            "unauthorized",
            f"answered {status}; give allocation.prometheus_token_file or the environment variable "
            "EDGESTILL_PROMETHEUS_TOKEN a token that may query",
        )
    if 300 <= status < 400:
        raise PromqlError(
            "status",
            f"answered {status}, a redirect, which is not followed; "
            "give allocation.prometheus_url the address that it leads to",
        )
    answer = _json(status, body)
    if status != 200 or answer.get("status") != "success":
        raise _refusal(status, answer)
    data = answer.get("data")
    kind = data.get("resultType") if isinstance(data, dict) else None
    if kind in ("scalar", "string", "matrix"):
        raise PromqlError(
            "bad_expression", f"the expression gives a {kind}, expected an instant vector"
        )
    result = data.get("result") if isinstance(data, dict) and kind == "vector" else None
    if not isinstance(result, list):
        raise PromqlError("malformed", "the answer holds no vector")
    return tuple(_sample(one) for one in result)


def _json(status: int, body: bytes) -> Mapping[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        if status != 200:
            raise PromqlError("status", f"answered {status}") from error
        raise PromqlError("not_json", "the answer is not JSON; is this Prometheus?") from error
    if not isinstance(answer, dict):
        raise PromqlError("malformed", "the answer is not a JSON object")
    return answer


_REFUSALS = {"bad_data": "bad_expression", "execution": "bad_expression", "timeout": "timeout"}


def _refusal(status: int, answer: Mapping[str, Any]) -> PromqlError:
    kind, text = answer.get("errorType"), answer.get("error")
    reason = _REFUSALS.get(kind, "status") if isinstance(kind, str) else "status"
    said = f": {text}" if isinstance(text, str) else ""
    return PromqlError(reason, f"answered {status}{said}")


def _sample(one: Any) -> Sample:
    labels = one.get("metric") if isinstance(one, dict) else None
    point = one.get("value") if isinstance(one, dict) else None
    if not (
        isinstance(labels, dict)
        and all(isinstance(value, str) for value in labels.values())
        and isinstance(point, list)
        and len(point) == 2
        and isinstance(point[1], str)
    ):
        raise PromqlError("malformed", "a sample is not labels and one number")
    try:
        return Sample(labels=labels, value=float(point[1]))
    except ValueError as error:
        raise PromqlError("malformed", f"a sample's value is {point[1]!r}, no number") from error
