"""The client against servers that are wrong in every way that was thought of."""

import asyncio
import datetime
import ipaddress
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from wrong_server import Handler, answers, error_of, serve, vector

from edgestill.errors import ConfigurationError, PromqlError
from edgestill.telemetry import PromqlServer, Sample
from edgestill.telemetry.promql import MOST_ANSWER_BYTES, TOKEN_VARIABLE

TOKEN = "s3cr3t-0f-ours"  # noqa: S105 - made for this test


def ask(server: PromqlServer, *expressions: str) -> list[tuple[Sample, ...]]:
    async def questions() -> list[tuple[Sample, ...]]:
        async with server.session() as session:
            return await asyncio.gather(*(session.query(one) for one in expressions))

    return asyncio.run(questions())


def failure(
    respond: Callable[[Handler], None], *, token_file: Path | None = None, timeout_s: float = 5.0
) -> PromqlError:
    with serve(respond) as (url, _):
        server = PromqlServer(url, token_file=token_file, timeout_s=timeout_s)
        with pytest.raises(PromqlError) as caught:
            ask(server, "up")
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 400
    assert text.startswith(f"Prometheus at {url}")
    return caught.value


def test_a_vector_is_read_with_all_that_a_float_can_be() -> None:
    values = ["0.5", "NaN", "+Inf", "-Inf", "1e+06"]
    result = [{"metric": {"group": str(i)}, "value": [1.5, v]} for i, v in enumerate(values)]
    with serve(answers(200, {**vector(*result), "warnings": ["a remark"]})) as (url, _):
        (samples,) = ask(PromqlServer(url), "up")
    assert [sample.labels["group"] for sample in samples] == ["0", "1", "2", "3", "4"]
    assert repr([sample.value for sample in samples]) == "[0.5, nan, inf, -inf, 1000000.0]"


def test_an_empty_vector_is_no_error() -> None:
    with serve(answers(200, vector())) as (url, _):
        assert ask(PromqlServer(url), "up", "down") == [(), ()]


def test_a_long_expression_is_posted_below_the_path_of_the_server() -> None:
    expression = "+".join(["up"] * 20_000)
    with serve(answers(200, vector())) as (url, asked):
        ask(PromqlServer(f"{url}/prom/"), expression)
    (handler,) = asked
    assert handler.path == "/prom/api/v1/query"
    assert handler.form == {"query": [expression]}


@pytest.mark.parametrize(
    ("respond", "reason", "text"),
    [
        (answers(500, b"oh no"), "status", "answered 500"),
        (answers(503, b"Service Unavailable"), "status", "answered 503"),
        (answers(404, b"404 page not found"), "status", "answered 404"),
        (answers(200, b"<html><body>Grafana</body></html>"), "not_json", "not JSON"),
        (answers(200, b""), "not_json", "not JSON"),
        (answers(200, b"\xff\xfe\x00"), "not_json", "not JSON"),
        (answers(200, b"[" * 200_000), "not_json", "not JSON"),
        (answers(200, b"[1]"), "malformed", "not a JSON object"),
        (answers(200, {"status": "success"}), "malformed", "no vector"),
        (answers(200, {"status": "success", "data": {"resultType": "heap"}}), "malformed", "no v"),
        (answers(200, {"status": ["?"], "errorType": []}), "status", "answered 200"),
        (answers(200, vector(1.0, "2", kind="scalar")), "bad_expression", "gives a scalar"),
        (answers(200, vector({"metric": {}})), "malformed", "sample"),
        (answers(200, vector({"metric": {"a": 1}, "value": [1, "1"]})), "malformed", "sample"),
        (answers(200, vector({"metric": {}, "value": [1, 0.5]})), "malformed", "sample"),
        (answers(200, vector({"metric": {}, "value": [1, "many"]})), "malformed", "'many'"),
        (answers(200, vector({"metric": {}, "histogram": [1, {}]})), "malformed", "sample"),
        (answers(400, error_of("bad_data", "1:5: parse error:\n x")), "bad_expression", "1:5"),
        (answers(422, error_of("execution", "many-to-many")), "bad_expression", "many-to-many"),
        (answers(503, error_of("timeout", "query timed out")), "timeout", "query timed out"),
        (answers(503, error_of("unavailable", "starting")), "status", "answered 503: starting"),
        (answers(401, b"Unauthorized"), "unauthorized", "prometheus_token_file"),
        (answers(403, error_of("x", "no")), "unauthorized", TOKEN_VARIABLE),
        (answers(200, b"\x1f\x8b...", Content_Encoding="gzip"), "malformed", "compressed"),
        (lambda handler: handler.wfile.write(b"SSH-2.0-x\r\n\r\n"), "unreachable", "be reached"),
        (lambda handler: None, "unreachable", "cannot be reached"),
    ],
)
def test_a_wrong_answer_is_one_line_and_one_word(
    respond: Callable[[Handler], None], reason: str, text: str
) -> None:
    error = failure(respond)
    assert error.reason == reason
    assert text in str(error)


def test_a_server_that_is_not_there_cannot_be_reached() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        with pytest.raises(PromqlError, match="cannot be reached") as caught:
            ask(PromqlServer(url), "up")
    assert caught.value.reason == "unreachable"


def test_a_server_that_is_silent_or_drips_is_left_when_the_time_is_over() -> None:
    over = threading.Event()

    def drip(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not over.wait(0.05):
            handler.wfile.write(b" ")

    def drip_headers(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not over.wait(0.05):
            handler.wfile.write(b"X-More: 1\r\n")

    try:
        for respond in (lambda handler: over.wait(60) and None, drip, drip_headers):
            error = failure(respond, timeout_s=0.3)
            assert (error.reason, "within 0.3 s" in str(error)) == ("timeout", True)
    finally:
        over.set()


def test_an_answer_without_end_is_cut_off() -> None:
    sent = 0

    def flood(handler: Handler) -> None:
        nonlocal sent
        handler.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n")
        while True:
            sent += handler.wfile.write(b" " * 2**16)

    error = failure(flood, timeout_s=60.0)
    assert (error.reason, "larger than 8 MiB" in str(error)) == ("too_large", True)
    # What the kernel buffers on top of what was read.
    assert sent < 4 * MOST_ANSWER_BYTES


def test_a_redirect_is_not_followed_and_the_token_goes_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    with serve(answers(200, vector())) as (elsewhere, asked_elsewhere):
        error = failure(
            answers(307, b"", Location=f"{elsewhere}/api/v1/query"), token_file=tmp_path / "token"
        )
    assert error.reason == "status"
    assert "redirect" in str(error)
    assert asked_elsewhere == []


def test_the_token_is_sent_from_the_file_or_the_environment_and_renewed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, "of-the-environment")
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    with serve(answers(200, vector())) as (url, asked):
        server = PromqlServer(url, token_file=file)
        ask(server, "up")
        file.write_text("renewed")
        ask(server, "up")
        ask(PromqlServer(url), "up")
        monkeypatch.delenv(TOKEN_VARIABLE)
        ask(PromqlServer(url), "up")
    sent = [handler.headers["Authorization"] for handler in asked]
    assert sent == [f"Bearer {TOKEN}", "Bearer renewed", "Bearer of-the-environment", None]


def test_a_token_file_that_vanishes_is_an_error_of_the_question(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    server = PromqlServer("http://127.0.0.1:9", token_file=tmp_path / "token")
    (tmp_path / "token").unlink()
    with pytest.raises(PromqlError, match="prometheus_token_file") as caught:
        ask(server, "up")
    assert caught.value.reason == "misconfigured"


@pytest.mark.parametrize(
    "respond",
    [
        lambda handler: handler.give(401, handler.headers["Authorization"].encode()),
        lambda handler: handler.give(
            400,
            json.dumps(
                error_of("bad_data", f"what is {handler.headers['Authorization']}?")
            ).encode(),
        ),
        lambda handler: handler.give(
            200,
            json.dumps(
                vector({"metric": {}, "value": [1, handler.headers["Authorization"]]})
            ).encode(),
        ),
        lambda handler: handler.wfile.write(handler.headers["Authorization"].encode() + b"\r\n"),
    ],
)
def test_a_server_that_echoes_the_token_does_not_get_it_into_a_message(
    respond: Callable[[Handler], None], tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(TOKEN)
    error = failure(respond, token_file=tmp_path / "token")
    assert TOKEN not in str(error)


@pytest.mark.parametrize(
    "content", [b"", b"  \n", b"two words", b"a\nb", b"caf\xc3\xa9", b"\x00\x01", b"x" * 20_000]
)
def test_a_file_without_a_token_is_refused_without_its_content(
    content: bytes, tmp_path: Path
) -> None:
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"allocation\.prometheus_token_file") as caught:
        PromqlServer("http://127.0.0.1:9", token_file=tmp_path / "token")
    shown = str(caught.value).replace(str(tmp_path), "")
    assert not content.strip() or content.decode("latin-1") not in shown


def test_files_that_are_not_there_and_certificates_that_are_none_are_refused(
    tmp_path: Path,
) -> None:
    with pytest.raises(ConfigurationError, match=r"prometheus_token_file: .*No such file"):
        PromqlServer("http://127.0.0.1:9", token_file=tmp_path / "none")
    with pytest.raises(ConfigurationError, match=r"prometheus_ca_file: .*No such file"):
        PromqlServer("https://127.0.0.1:9", ca_file=tmp_path / "none")
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(ConfigurationError, match=r"prometheus_ca_file: .*no certificates"):
        PromqlServer("https://127.0.0.1:9", ca_file=tmp_path / "ca.pem")


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "http://host:123456",
        "http://h/?query=up",
        "http://h/#graph",
        "http://[::1",
        "http://a..b/",
    ],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"allocation\.prometheus_url"):
        PromqlServer(url)


def test_a_password_in_the_address_is_sent_but_not_shown() -> None:
    with serve(answers(500, b"")) as (url, asked):
        server = PromqlServer(url.replace("http://", "http://me:pass-word@"))
        with pytest.raises(PromqlError) as caught:
            ask(server, "up")
    assert asked[0].headers["Authorization"].startswith("Basic ")
    assert "pass-word" not in str(caught.value)
    assert "me" not in str(caught.value).replace("Prometheus", "")


def test_questions_are_asked_at_once() -> None:
    def slow(handler: Handler) -> None:
        time.sleep(0.2)
        handler.give(200, json.dumps(vector()).encode())

    together = threading.Barrier(5, timeout=5)

    def all_at_once(handler: Handler) -> None:
        together.wait()
        slow(handler)

    with serve(all_at_once) as (url, _):
        assert ask(PromqlServer(url), *"abcde") == [()] * 5


def test_this_machine_is_not_asked_for_by_way_of_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with serve(answers(200, vector())) as (url, _):
        assert ask(PromqlServer(url), "up") == [()]


@pytest.fixture
def own_authority(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 that only itself vouches for, and its key, in one file."""
    now = datetime.datetime.now(datetime.UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(alternative, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    form = serialization.PrivateFormat.PKCS8
    content = key.private_bytes(pem, form, serialization.NoEncryption())
    (tmp_path / "ca.pem").write_bytes(content + certificate.public_bytes(pem))
    return tmp_path / "ca.pem"


def test_only_certificates_of_the_given_authority_are_trusted(own_authority: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(own_authority)
    with serve(answers(200, vector()), tls) as (url, asked):
        with pytest.raises(PromqlError, match=r"allocation\.prometheus_ca_file") as caught:
            ask(PromqlServer(url), "up")
        assert asked == []
        assert ask(PromqlServer(url, ca_file=own_authority), "up") == [()]
    assert caught.value.reason == "unreachable"
