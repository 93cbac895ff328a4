"""TLS: who is trusted, and one line for each certificate that is not."""

import time

import httpx
import pytest
from certificates import write_certificates
from sums_model import Sums, frame

from edgestill.errors import InputError
from edgestill.inference.client import CloudClient, CloudError
from edgestill.inference.service import ServiceServer, ServiceSettings
from edgestill.inference.service.tls import check_certificate


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    return write_certificates(tmp_path_factory.mktemp("pem"))


@pytest.fixture(scope="module")
def server(pem):
    _, certificate, key = pem
    server = ServiceServer(
        Sums(), ServiceSettings(), host="127.0.0.1", port=0, certificate=certificate, key=key
    )
    yield server
    server.stop()


def ask(url, ca_file):
    client = CloudClient(url, ca_file=ca_file and str(ca_file))
    try:
        return client.ask(frame(4), time.monotonic() + 5)
    finally:
        client.close()


def test_who_trusts_the_authority_is_answered(server, pem):
    assert ask(f"https://127.0.0.1:{server.port}", pem[0]).answer.label == 4


def test_health_and_metrics_are_there_without_tls(server):
    own = f"http://127.0.0.1:{server.own_port}"
    assert httpx.get(f"{own}/health/ready", trust_env=False).text == "ok\n"
    assert "edgestill_serving_requests_total" in httpx.get(f"{own}/metrics", trust_env=False).text
    assert httpx.post(f"{own}/v1/answers", content=frame(1), trust_env=False).status_code == 404


def test_another_authority_or_none_is_not_trusted_and_not_tried_again(server, tmp_path):
    other = write_certificates(tmp_path)[0]
    for ca_file in (other, None):
        with pytest.raises(CloudError) as caught:
            ask(f"https://127.0.0.1:{server.port}", ca_file)
        assert caught.value.reason == "untrusted"
        assert "its certificate: " in str(caught.value)
        assert "\n" not in str(caught.value)
        assert caught.value.bytes_sent == len(frame(4))


def test_plain_http_to_tls_is_unreachable(server):
    with pytest.raises(CloudError) as caught:
        ask(f"http://127.0.0.1:{server.port}", None)
    assert caught.value.reason == "unreachable"


def test_a_sound_certificate_passes(pem):
    check_certificate(*pem[1:])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda c, k, o: (c.with_name("none.pem"), k), "--certificate .*No such file"),
        (lambda c, k, o: (c, k.with_name("none.key")), "--key .*No such file"),
        (lambda c, k, o: (c, o[2]), "its own private key"),
        (lambda c, k, o: (k, c), "expected PEM files"),
        (lambda c, k, o: (c.parent, k), "--certificate .*cannot be read"),
    ],
)
def test_files_that_are_no_certificate_and_its_key_are_one_line(pem, tmp_path, spoil, said):
    other = write_certificates(tmp_path)
    with pytest.raises(InputError, match=said) as caught:
        check_certificate(*spoil(*pem[1:], other))
    assert "\n" not in str(caught.value)


def test_a_certificate_that_is_over_is_one_line(tmp_path):
    _, certificate, key = write_certificates(tmp_path, days=-1)
    with pytest.raises(InputError, match="certificate has expired"):
        check_certificate(certificate, key)


def test_a_file_without_certificates_to_trust_is_one_line(tmp_path):
    with pytest.raises(InputError, match="no certificates to trust"):
        CloudClient("https://127.0.0.1:1", ca_file=str(tmp_path / "none.pem"))
