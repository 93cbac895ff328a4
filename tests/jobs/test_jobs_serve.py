"""`edgestill serve`: one line and exit code 2 for whatever is wrong, before Ray is started."""

import socket
import sys
from pathlib import Path

import pytest
import ray

from edgestill.inference.joint import save_joint
from edgestill.jobs import cli
from edgestill.jobs.commands.token import serving_token
from edgestill.jobs.serving.model import WatchedModel
from edgestill.jobs.serving.signals import PrometheusQueue

sys.path.append(str(Path(__file__).parents[1] / "platform" / "inference"))

from certificates import write_certificates
from joint_models import model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A joint model without a fog."""
    folder = tmp_path_factory.mktemp("joint")
    save_joint(folder, model(tiers=("cloud",)), {})
    return folder


@pytest.fixture
def complaint(capsys, folder, monkeypatch):
    """The one line that `serve` gives; no Ray is started."""

    def started(*_, **__):
        raise AssertionError("Ray was started")

    monkeypatch.setattr(ray, "init", started)
    monkeypatch.delenv("EDGESTILL_SERVING_TOKEN", raising=False)

    def run(*arguments, of=folder):
        given = ["serve", str(of), "--port", "0", *map(str, arguments)]
        code = cli._guarded(lambda: cli.app(given, standalone_mode=False))
        printed, errors = capsys.readouterr()
        assert (code, printed, errors.count("\n")) == (2, "", 1)
        return errors

    return run


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--tier", "edge"), "--tier edge: expected cloud or fog"),
        (("--cloud", "http://127.0.0.1:1"), "--cloud needs --tier fog"),
        (("--tier", "fog", "--cloud", "127.0.0.1:1"), "expected a URL such as https://"),
        (("--ca", "ca.pem"), "--ca needs --cloud"),
        (("--replicas", "0"), "--replicas 0: expected LEAST:MOST"),
        (("--replicas", "3:2"), "--replicas 3:2: expected LEAST:MOST"),
        (("--replicas", "many"), "--replicas many: expected LEAST:MOST"),
        (("--certificate", "c.pem"), "--certificate and --key: give both"),
        (("--token-file", "none"), "--token-file none: cannot be read"),
        (("--address", "127.0.0.1"), "--address 127.0.0.1: expected HOST:PORT"),
        (("--prometheus-url", "nowhere"), "nowhere"),
        (("--tier", "fog"), "has no fog; it has cloud"),
        (("--host", "203.0.113.1"), "--port 0: not to be had"),
        (("--port", "x"), "Invalid value for '--port'"),
    ],
)
def test_a_wrong_option_is_one_line(complaint, arguments, said):
    assert said in complaint(*arguments)


def test_a_folder_without_a_model_is_one_line(complaint, tmp_path):
    assert "no joint.json there" in complaint(of=tmp_path)
    assert "no joint.json there" in complaint(of=tmp_path / "none")


def test_a_damaged_model_is_one_line(complaint, folder, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "cloud.safetensors").write_bytes(b"torn")
    assert "cloud.safetensors: holds no such network" in complaint(of=tmp_path)


def test_a_port_in_use_is_one_line_although_replicas_could_share_it(complaint):
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert f"--port {port}: in use" in complaint("--port", port)


def test_a_certificate_that_is_over_is_one_line(complaint, tmp_path):
    _, certificate, key = write_certificates(tmp_path, days=-1)
    line = complaint("--certificate", certificate, "--key", key)
    assert "certificate has expired" in line


def test_the_token_comes_from_a_file_or_the_environment_and_is_never_shown(
    complaint, tmp_path, monkeypatch
):
    file = tmp_path / "token"
    file.write_text("s3cret\n")
    assert serving_token(file) == "s3cret"
    assert serving_token(None) is None
    monkeypatch.setenv("EDGESTILL_SERVING_TOKEN", "other")
    assert (serving_token(None), serving_token(file)) == ("other", "s3cret")
    file.write_text("s3cret and more")
    line = complaint("--token-file", file)
    assert "expected one token" in line
    assert "s3cret" not in line
    monkeypatch.setenv("EDGESTILL_SERVING_TOKEN", "s3\ncret")
    assert "s3" not in complaint()


def test_a_model_that_was_written_anew_is_taken_in_and_one_that_is_damaged_is_not(tmp_path, caplog):
    save_joint(tmp_path, model(), {})
    watched = WatchedModel(tmp_path, "cloud")
    first = watched.fingerprint
    assert not watched.changed()
    save_joint(tmp_path, model(seed=9), {})
    assert watched.changed()
    assert watched.fingerprint != first
    assert not watched.changed()
    newest, load = watched.fingerprint, watched.load
    (tmp_path / "cloud.safetensors").write_bytes(b"torn")
    assert not watched.changed()  # its description is as it was
    watched.renew()
    assert not watched.changed()
    assert "the old model is served on: " in caplog.text
    assert (watched.fingerprint, watched.load) == (newest, load)
    # What replicas are sent is whole, whatever becomes of the folder.
    assert f"{load().fingerprint:08x}" == newest
    assert "torn" not in repr(load)


def test_a_prometheus_that_does_not_answer_leaves_the_question_to_the_replicas(caplog):
    queue = PrometheusQueue.of("http://127.0.0.1:9", "serve-x-cloud")
    assert [queue(), queue()] == [None, None]
    assert caplog.text.count("Prometheus does not answer") == 1
    assert PrometheusQueue.of(None, "x") is None
