"""The server: on loopback, for requests by loopback's names, and gone when it is stopped."""

import http.client

import psutil
import pytest
from page_events import begun

from edgestill.errors import InputError
from edgestill.page.server import HOST, PageServer
from edgestill.web import listen


@pytest.fixture(scope="module")
def server():
    page = PageServer()
    port = page.start()
    yield page
    page.stop()
    listen(HOST, port, option="--ui-port").close()  # free again


@pytest.fixture(scope="module")
def port(server):
    return server.start()


def get(port: int, *, host: str | None = None, path: str = "/") -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    connection.request("GET", path, headers={"Host": host or f"{HOST}:{port}"})
    return connection.getresponse()


def test_the_page_comes_with_a_policy_that_forbids_other_hosts(server, port):
    server.take([begun(name="<script>alert(1)</script>")])
    answer = get(port)
    body = answer.read().decode()
    assert answer.status == 200
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "<script>alert(1)" not in body


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example"])
def test_a_request_by_another_name_is_refused(port, host):
    assert get(port, host=host).status == 400


def test_a_tunnel_to_localhost_is_served(port):
    assert get(port, host="localhost:9999").status == 200


def test_starting_again_gives_the_same_port(server, port):
    assert server.start() == port


def test_nothing_but_the_page_is_offered(port):
    for path in ("/docs", "/openapi.json", "/metrics"):
        assert get(port, path=path).status == 404


def test_it_listens_on_loopback_alone(port):
    listening = [
        place.laddr.ip
        for place in psutil.Process().net_connections("tcp")
        if place.laddr.port == port and place.status == psutil.CONN_LISTEN
    ]
    assert listening == [HOST]


def test_a_port_in_use_is_named(port):
    with pytest.raises(InputError, match=rf"^--ui-port {port}: in use; give another one, or 0$"):
        listen(HOST, port, option="--ui-port")
