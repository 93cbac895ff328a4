"""The service on a real port: statuses, batches, limits, reloads, drains; no frame harms it."""

import asyncio
import base64
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest
import uvicorn
from sums_model import Sums, frame

from edgestill.inference.service import Service, ServiceSettings, make_app
from edgestill.inference.service.told import Told
from edgestill.inference.wire import DEADLINE_HEADER, INPUTS_HEADER
from edgestill.telemetry import SERVING


@contextmanager
def serving(served, **settings):
    """Run a service on a free port of loopback and give it with a client."""
    service = Service(served, ServiceSettings(**settings))
    server = uvicorn.Server(
        uvicorn.Config(make_app(service), host="127.0.0.1", port=0, log_level="error")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        yield service, client
    server.should_exit = True
    thread.join(timeout=10)


def ask(client, content, **more):
    return client.post("/v1/answers", content=content, **more)


def test_a_frame_is_answered_and_counted():
    with serving(Sums()) as (_, client):
        response = ask(client, frame(41))
        assert response.status_code == 200
        assert response.json()["answer"] == {
            "by": "cloud",
            "label": 41,
            "confidence": 1.0,
            "boxes": [],
        }
        metrics = client.get("/metrics").text
    assert 'edgestill_serving_requests_total{status="200"} 1.0' in metrics
    assert f"edgestill_serving_received_bytes_total {float(len(frame(41)))}" in metrics


def test_the_same_frame_in_base64_for_people():
    with serving(Sums()) as (_, client):
        coded = base64.b64encode(frame(5)).decode()
        response = client.post("/v1/answers/json", json={"frame": coded})
        assert response.json()["answer"]["label"] == 5
        assert client.post("/v1/answers/json", json={"frame": "?"}).status_code == 400


@pytest.mark.parametrize(
    ("content", "status", "reason"),
    [
        (b"", 400, "frame"),
        (b"ESTL" + bytes(40), 400, "frame"),
        (frame(1)[:-1], 400, "frame"),
        (frame(1)[:30] + b"\xff" + frame(1)[31:], 400, "frame"),
        (frame(1, fingerprint=8), 409, "model"),
        (bytes(5000), 413, "too_large"),
    ],
)
def test_a_bad_frame_gets_its_status_and_one_line(content, status, reason):
    with serving(Sums(), max_frame_bytes=4096) as (_, client):
        response = ask(client, content)
        assert (response.status_code, response.json()["reason"]) == (status, reason)
        assert "\n" not in response.json()["error"]
        assert ask(client, frame(2)).json()["answer"]["label"] == 2


def test_a_body_without_length_is_cut_at_the_cap():
    def drip():
        for _ in range(100):
            yield bytes(100)

    with serving(Sums(), max_frame_bytes=4096) as (_, client):
        assert ask(client, drip()).status_code == 413


def test_what_arrives_together_is_computed_together_and_each_gets_its_own():
    served = Sums(pause_s=0.05)
    with serving(served, most_in_batch=8) as (_, client), ThreadPoolExecutor(16) as pool:
        labels = list(
            pool.map(lambda n: ask(client, frame(n)).json()["answer"]["label"], range(16))
        )
    assert labels == list(range(16))
    assert max(served.batches) > 1
    assert sum(served.batches) == 16
    assert max(served.batches) <= 8


def test_a_model_that_raises_costs_its_batch_and_the_service_goes_on():
    with serving(Sums()) as (_, client):
        failed = ask(client, frame(-1))
        assert (failed.status_code, failed.json()["reason"]) == (500, "model_failed")
        assert ask(client, frame(3)).json()["answer"]["label"] == 3


def test_beyond_the_queue_clients_are_told_to_come_again():
    served = Sums(pause_s=0.2)
    with (
        serving(served, most_in_batch=1, most_waiting=2) as (_, client),
        ThreadPoolExecutor(8) as pool,
    ):
        found = list(pool.map(lambda n: ask(client, frame(n)), range(8)))
    refused = [response for response in found if response.status_code == 503]
    assert refused
    assert all(int(response.headers["Retry-After"]) >= 1 for response in refused)
    assert any(response.status_code == 200 for response in found)


def test_a_missing_or_wrong_token_is_refused_and_nothing_else_needs_one():
    with serving(Sums(), token="s3cret") as (_, client):  # noqa: S106 - a test's
        assert ask(client, frame(1)).status_code == 401
        wrong = ask(client, frame(1), headers={"Authorization": "Bearer other"})
        assert wrong.status_code == 401
        assert "s3cret" not in wrong.text
        right = ask(client, frame(1), headers={"Authorization": "Bearer s3cret"})
        assert right.status_code == 200
        assert client.get("/health/ready").status_code == 200


def test_a_client_that_asks_too_often_is_slowed_and_others_are_not():
    with serving(Sums(), requests_per_s=0.5, burst=2) as (_, client):
        one = {"Authorization": "Bearer one"}
        statuses = [ask(client, frame(1), headers=one).status_code for _ in range(4)]
        other = ask(client, frame(1), headers={"Authorization": "Bearer other"}).status_code
    assert statuses == [200, 200, 429, 429]
    assert other == 200


def test_a_reload_under_load_loses_no_request():
    with serving(Sums(pause_s=0.005)) as (service, client), ThreadPoolExecutor(8) as pool:
        running = [pool.submit(lambda: ask(client, frame(1))) for _ in range(60)]
        time.sleep(0.03)
        service.reload(Sums(offset=100))
        running += [pool.submit(lambda: ask(client, frame(1))) for _ in range(60)]
        found = [future.result() for future in running]
        last = ask(client, frame(1)).json()["answer"]["label"]
    assert {response.status_code for response in found} == {200}
    assert {response.json()["answer"]["label"] for response in found} <= {1, 101}
    assert last == 101


def test_a_draining_replica_answers_what_it_has_and_refuses_the_rest():
    async def drained():
        service = Service(Sums(pause_s=0.05), ServiceSettings())
        under_way = asyncio.create_task(service.answer(frame(6), Told.of({})))
        await asyncio.sleep(0.01)
        await service.drain()
        transport = httpx.ASGITransport(app=make_app(service))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            refused = await client.post("/v1/answers", content=frame(7))
            ready = await client.get("/health/ready")
        return (await under_way).better.answer.label, refused.status_code, ready.status_code

    assert asyncio.run(drained()) == (6, 503, 503)


def test_the_inputs_that_a_request_tells_of_are_counted_and_nonsense_counts_as_one():
    with serving(Sums()) as (_, client):
        for told in ("7", "2", "0", "-3", "x", "1" * 40, ""):
            assert ask(client, frame(1), headers={INPUTS_HEADER: told}).status_code == 200
        ask(client, b"", headers={INPUTS_HEADER: "1"})
        metrics = client.get("/metrics").text
    assert "edgestill_serving_inputs_total 14.0" in metrics
    assert 'edgestill_serving_errors_total{reason="frame"} 1.0' in metrics


def test_who_waits_no_longer_leaves_the_queue():
    served = Sums(pause_s=0.2)
    with serving(served, most_in_batch=1) as (_, client), ThreadPoolExecutor(4) as pool:
        first = pool.submit(lambda: ask(client, frame(1)))
        time.sleep(0.05)
        late = ask(client, frame(2), headers={DEADLINE_HEADER: "30"})
        assert (late.status_code, late.json()["reason"]) == (504, "deadline")
        assert first.result().status_code == 200
        assert ask(client, frame(3)).json()["answer"]["label"] == 3
    assert sum(served.batches) == 2


def test_every_metric_of_the_service_is_exported_as_declared():
    with serving(Sums()) as (_, client):
        ask(client, frame(1))
        lines = client.get("/metrics").text.splitlines()
    types = {line.split()[2]: line.split()[3] for line in lines if line.startswith("# TYPE")}
    for metric in SERVING:
        assert types[metric.name] == metric.kind
    assert any('le="0.0025"' in line for line in lines)


def test_the_service_describes_itself():
    with serving(Sums()) as (_, client):
        assert client.get("/v1/model").json() == {"fingerprint": "00000007", "answers": "sums"}
        paths = client.get("/openapi.json").json()["paths"]
    assert {"/v1/answers", "/v1/answers/json", "/health/ready", "/metrics"} <= paths.keys()
