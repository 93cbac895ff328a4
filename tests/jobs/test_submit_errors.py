"""`edgestill submit` and `fetch`: one line and exit code 2 for whatever is wrong, nothing sent."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import ray

from edgestill.config import dump
from edgestill.jobs import cli
from edgestill.jobs.submission import head as head_module


@pytest.fixture
def edgestill(capsys):
    """Run a command in this process; give its exit code, standard output and standard error."""

    def run(*arguments):
        given = [str(argument) for argument in arguments]
        code = cli._guarded(lambda: cli.app(given, standalone_mode=False))
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def config(tiny_config, tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(dump(tiny_config()))
    return path


@pytest.fixture
def complaint(edgestill):
    def run(*arguments):
        code, printed, errors = edgestill(*arguments)
        assert (code, printed) == (2, ""), errors
        assert errors.startswith("edgestill: ")
        assert errors.count("\n") == 1
        return errors

    return run


class Dashboard(HTTPServer):
    """Answers every request alike, and keeps what it was asked."""

    def __init__(self, status, body):
        self.asked = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.server.asked.append((self.command, self.path))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *given):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def dashboard():
    started = []

    def start(body, status=200):
        server = Dashboard(status, body)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


def version(number):
    return json.dumps({"ray_version": number}).encode()


@pytest.mark.parametrize(
    "address", ["127.0.0.1:8265", "ray://h:10001", "auto", "http://", "http://h/p", "h"]
)
def test_an_address_must_be_a_url(complaint, config, address):
    said = complaint("submit", config, "--address", address)
    assert "expected the URL of the head's dashboard, such as http://" in said


def test_a_closed_port(complaint, config):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    assert "no Ray dashboard answers there (ConnectError)" in complaint(
        "submit", config, "--address", url
    )


def test_who_listens_and_never_answers(complaint, config, monkeypatch):
    monkeypatch.setattr(head_module, "PROBE_TIMEOUT_S", 0.5)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        said = complaint("fetch", "one", "--address", url)
    assert "no Ray dashboard answers there (ReadTimeout)" in said


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b""])
def test_what_is_no_dashboard(complaint, config, dashboard, body):
    url = dashboard(body).url
    assert "what answers is not a Ray dashboard (HTTP 200)" in complaint(
        "submit", config, "--address", url
    )


def test_a_head_of_another_version(complaint, config, dashboard):
    server = dashboard(version("2.9.3"))
    said = complaint("submit", config, "--address", server.url)
    assert f"the head runs Ray 2.9.3, this is Ray {ray.__version__}" in said
    assert server.asked == [("GET", "/api/version")]


def test_the_environment_does_not_win_over_the_address(config, dashboard, monkeypatch):
    given, other = dashboard(version(ray.__version__)), dashboard(version(ray.__version__))
    for name in head_module.OVERRIDES_ADDRESS:
        monkeypatch.setenv(name, other.url)
    assert head_module.connect(given.url)._client.get_address() == given.url
    assert other.asked == []


def test_a_wrong_configuration_is_found_before_the_head_is_asked(complaint, config, dashboard):
    server = dashboard(version(ray.__version__))
    said = complaint("submit", config, "--address", server.url, "--set", "fleet.sise=3")
    assert "fleet.sise: unknown key" in said
    assert server.asked == []


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["submit"], "--address"),
        (["submit", "--address", "http://h:1"], "expected CONFIG or --resume"),
        (["submit", "x.yaml", "--resume", "one", "--address", "http://h:1"], "and not both"),
        (["submit", "x.yaml", "--out", "o", "--address", "http://h:1"], "--out needs --follow"),
        (
            ["submit", "--resume", "one", "--set", "seed=1", "--address", "http://h:1"],
            "--resume takes the run as it was",
        ),
        (["submit", "nowhere.yaml", "--address", "http://h:1"], "nowhere.yaml: cannot be read"),
        (["fetch", "--address", "http://h:1"], "SUBMISSION_ID"),
        (["fetch", "one"], "--address"),
    ],
)
def test_a_command_that_is_not_one(complaint, arguments, named):
    assert named in complaint(*arguments)


def test_a_folder_that_holds_something_is_refused_before_anything_is_sent(
    complaint, config, dashboard, tmp_path
):
    server = dashboard(version(ray.__version__))
    said = complaint("submit", config, "--address", server.url, "--follow", "--out", tmp_path)
    assert "is not an empty folder" in said
    assert server.asked == []


@pytest.mark.parametrize("command", ["submit", "fetch"])
def test_help(edgestill, command):
    code, out, err = edgestill(command, "--help")
    assert (code, err) == (0, "")
    assert "Usage: " in out
