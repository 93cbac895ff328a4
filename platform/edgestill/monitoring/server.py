"""A Prometheus server on this machine that follows its runs."""

import fcntl
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import httpx

from edgestill.errors import InputError, RunError
from edgestill.monitoring.configuration import prometheus_configuration, to_yaml
from edgestill.monitoring.files import write
from edgestill.monitoring.rules import rule_file
from edgestill.monitoring.targets import remove_abandoned

HOST = "127.0.0.1"
READY_WITHIN_S = 60.0
ENDS_WITHIN_S = 20.0
INSTALL = (
    "prometheus is not installed: apt-get install prometheus, brew install prometheus, or "
    "https://prometheus.io/download; or use dashboards/compose.yaml"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that answers.

    Attributes:
        url: its root.
        log: what it says.
    """

    url: str
    log: Path
    process: subprocess.Popen[bytes]

    def wait(self) -> None:
        """Wait until it ends, which it does not by itself.

        Raises:
            RunError: it ended.
        """
        code = self.process.wait()
        raise RunError(f"prometheus ended with code {code}: {_last_line(self.log)} ({self.log})")


@contextmanager
def serving(folder: Path, targets: Path, *, port: int) -> Iterator[Server]:
    """Run Prometheus on loopback inside the block.

    Args:
        folder: of its configuration, rules, log and data; what it has collected stays there.
        targets: the folder of target files; what killed runs left there is removed.
        port: 0 takes a free one.

    Raises:
        InputError: it is not installed, the port is in use, or the folder is.
        RunError: it ended, or is not ready within a minute.
    """
    binary = shutil.which("prometheus")
    if binary is None:
        raise InputError(INSTALL)
    port = _free(port)
    with ExitStack() as stack:
        stack.enter_context(_locked(folder))
        _prepare(folder, targets)
        server = _start(binary, folder, port)
        stack.callback(_end, server.process)
        _wait_until_ready(server)
        yield server


def _locked(folder: Path) -> TextIO:
    """Return the folder's lock file, which holds the lock until it is closed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise InputError(f"--out {folder}: cannot be written ({error.strerror})") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise InputError(f"--out {folder}: another monitor uses it; give another one") from error
    return lock


def _start(binary: str, folder: Path, port: int) -> Server:
    log = folder / "prometheus.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - found on PATH, given our own arguments
            [
                binary,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={HOST}:{port}",
            ],
            stdout=output,
            stderr=output,
            # Ctrl-C is for us, who end it then.
            start_new_session=True,
        )
    return Server(url=f"http://{HOST}:{port}", log=log, process=process)


def _free(port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise InputError(
                f"--port {port}: cannot be bound on {HOST} ({error}); give another one, or 0 for "
                "a free one"
            ) from error
        return int(probe.getsockname()[1])


def _prepare(folder: Path, targets: Path) -> None:
    configuration = prometheus_configuration(targets, folder / "rules")
    comment = "Made by `edgestill monitor` at each start."
    write(
        folder,
        {
            "prometheus.yml": to_yaml(configuration, comment),
            "rules/edgestill.yml": to_yaml(rule_file(), comment),
        },
    )
    try:
        targets.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{targets}: cannot be made ({error.strerror})") from error
    remove_abandoned(targets)


def _wait_until_ready(server: Server) -> None:
    until = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until:
        if (code := server.process.poll()) is not None:
            raise RunError(
                f"prometheus ended with code {code}: {_last_line(server.log)} ({server.log})"
            )
        try:
            if httpx.get(f"{server.url}/-/ready", timeout=2.0, trust_env=False).is_success:
                return
        except httpx.TransportError:
            pass  # Not listening yet.
        time.sleep(0.05)
    raise RunError(f"prometheus is not ready after {READY_WITHIN_S:.0f} s ({server.log})")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
