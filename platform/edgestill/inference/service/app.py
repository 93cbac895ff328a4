"""The service over HTTP: frames in, answers out, and what an operator asks for.

``POST /v1/answers`` takes one binary frame and gives one answer as JSON; ``POST /v1/answers/json``
takes the same frame in base64, for people. ``GET /health/live``, ``/health/ready``, ``/metrics``,
``/v1/model`` and ``/docs`` (OpenAPI) tell the rest. Statuses: see :class:`RefusalError`.
"""

import base64
import binascii
import math
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field, ValidationError

from edgestill.inference.service.refusal import RefusalError
from edgestill.inference.service.service import Reply, Service
from edgestill.inference.service.told import Told

Read = Callable[[Request], Awaitable[bytes]]

_BASE64_GROWTH = 4 / 3
_JSON_ROOM_BYTES = 256


class FrameInBase64(BaseModel):
    """A frame for people who ask by hand."""

    frame: str = Field(description="the bytes of a frame, base64")


def make_app(service: Service) -> FastAPI:
    """Return the web application of one replica, as its clients see it."""
    app = FastAPI(
        title="edgestill joint inference",
        description="The cloud half of a split model: a device's coded features in, answers out.",
        version="1",
    )
    _add_answers(app, service)
    _add_operations(app, service)
    return app


def make_operations_app(service: Service) -> FastAPI:
    """Return what an operator asks of one replica alone: its health and its metrics."""
    app = FastAPI(title="edgestill replica", docs_url=None, redoc_url=None, openapi_url=None)
    _add_operations(app, service)
    return app


def _add_answers(app: FastAPI, service: Service) -> None:
    refusals: dict[int | str, dict[str, Any]] = {
        status: {"description": reason}
        for status, reason in (
            (400, "damaged frame"),
            (401, "token"),
            (409, "another model's frame"),
            (413, "frame too large"),
            (429, "too many requests"),
            (503, "overloaded or draining"),
            (504, "no answer within the request's deadline"),
        )
    }

    @app.post("/v1/answers", responses=refusals, openapi_extra=_binary_body())
    async def answers(request: Request) -> Response:
        return await _respond(
            service, request, lambda r: _body(r, service.settings.max_frame_bytes)
        )

    @app.post("/v1/answers/json", responses=refusals, openapi_extra=_json_body())
    async def answers_json(request: Request) -> Response:
        return await _respond(service, request, lambda r: _frame_of_json(r, service))


def _add_operations(app: FastAPI, service: Service) -> None:
    @app.get("/health/live", response_class=PlainTextResponse)
    async def live() -> str:
        return "ok\n"

    @app.get("/health/ready", response_class=PlainTextResponse)
    async def ready() -> Response:
        if service.draining:
            return PlainTextResponse("draining\n", status_code=503)
        return PlainTextResponse("ok\n")

    @app.get("/metrics")
    async def metrics() -> Response:
        text = generate_latest(service.metrics.registry)
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    @app.get("/v1/model")
    async def model() -> dict[str, Any]:
        return service.describe()


async def _respond(service: Service, request: Request, read: Read) -> Response:
    """Return the answer or the refusal to one request, counted and timed."""
    started = perf_counter()
    told = Told.of(request.headers)
    try:
        address = request.client.host if request.client else ""
        service.admit(request.headers.get("authorization", ""), address)
        frame = await read(request)
        service.metrics.received_bytes.inc(len(frame))
        response = _answered(await service.answer(frame, told))
    except RefusalError as refusal:
        service.metrics.errors.labels(reason=refusal.reason).inc()
        response = _refused(refusal)
    service.metrics.requests.labels(status=str(response.status_code)).inc()
    service.metrics.seconds.observe(perf_counter() - started)
    return response


def _answered(reply: Reply) -> JSONResponse:
    timed, better = reply.timed, reply.better
    return JSONResponse(
        {
            "answer": better.answer.plain(),
            "batch_size": timed.batch_size,
            "queue_s": timed.queue_s,
            "compute_s": timed.compute_s,
            "above_s": better.waited_s,
        }
    )


def _refused(refusal: RefusalError) -> JSONResponse:
    headers = {}
    if refusal.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, math.ceil(refusal.retry_after_s)))
    return JSONResponse(
        {"reason": refusal.reason, "error": refusal.line},
        status_code=refusal.status,
        headers=headers,
    )


async def _body(request: Request, most_bytes: int) -> bytes:
    """Read a request's body, never more of it than its cap.

    Raises:
        RefusalError: the body is larger.
    """
    refusal = RefusalError(413, "too_large", f"the request exceeds {most_bytes} bytes")
    declared = request.headers.get("content-length", "0")
    if not declared.isdigit() or int(declared) > most_bytes:
        raise refusal
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most_bytes:
            raise refusal
        parts.append(part)
    return b"".join(parts)


async def _frame_of_json(request: Request, service: Service) -> bytes:
    most_bytes = int(service.settings.max_frame_bytes * _BASE64_GROWTH) + _JSON_ROOM_BYTES
    body = await _body(request, most_bytes)
    try:
        return base64.b64decode(FrameInBase64.model_validate_json(body).frame, validate=True)
    except (ValidationError, binascii.Error, ValueError) as error:
        raise RefusalError(400, "frame", 'expected {"frame": "<base64>"}') from error


def _binary_body() -> dict[str, Any]:
    schema = {"type": "string", "format": "binary"}
    return {"requestBody": {"content": {"application/octet-stream": {"schema": schema}}}}


def _json_body() -> dict[str, Any]:
    schema = FrameInBase64.model_json_schema()
    return {"requestBody": {"content": {"application/json": {"schema": schema}}}}
