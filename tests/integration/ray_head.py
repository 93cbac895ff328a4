"""A real Ray head of its own, on whose machine only the dependencies can be imported."""

import os
import shutil
import signal
import socket
import subprocess
import sysconfig
import tempfile
import urllib.request
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import ray
from processes import wait_until

CPUS = 2


@dataclass(frozen=True)
class RealHead:
    """A head that answers.

    Attributes:
        url: of its dashboard.
        home: of the user whom it runs as.
        python: what its nodes run.
    """

    url: str
    home: Path
    python: Path


@contextmanager
def running_head(folder: Path) -> Iterator[RealHead]:
    """Run a head with two CPUs inside the block."""
    python = dependencies_only(folder / "environment")
    home = folder / "home"
    home.mkdir()
    ports = free_ports(3)
    # Its sockets lie below, and their paths must be short.
    session = Path(tempfile.mkdtemp(prefix="eh", dir="/tmp"))
    with (folder / "head.log").open("w") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [
                *(python, "-m", "ray.scripts.scripts", "start", "--head", "--block"),
                *(f"--port={ports[0]}", f"--dashboard-port={ports[1]}", f"--temp-dir={session}"),
                *(f"--num-cpus={CPUS}", "--include-dashboard=true", "--dashboard-host=127.0.0.1"),
                # The default is taken where another Ray runs, such as that of other tests.
                f"--dashboard-agent-listen-port={ports[2]}",
                *("--node-ip-address=127.0.0.1", "--disable-usage-stats"),
            ],
            env=clean_environment(python, home),
            cwd=home,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{ports[1]}"
    try:
        wait_until(
            lambda: process.poll() is not None or answers(f"{url}/api/version"),
            within_s=90,
            what="the head's dashboard",
        )
        assert process.poll() is None, (folder / "head.log").read_text()
        yield RealHead(url=url, home=home, python=python)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        shutil.rmtree(session, ignore_errors=True)


def dependencies_only(folder: Path) -> Path:
    """Make an environment with the packages of this one, but without their editable installs.

    A path file is not followed by another, so the one that makes this checkout importable is not
    read.
    """
    venv.create(folder, with_pip=False)
    paths = {"base": str(folder), "platbase": str(folder)}
    site = Path(sysconfig.get_path("purelib", vars=paths))
    (site / "dependencies.pth").write_text(f"{Path(ray.__file__).parents[1]}\n")
    return folder / "bin" / "python"


def clean_environment(python: Path, home: Path) -> dict[str, str]:
    """Return an environment that leads to nothing but that Python."""
    return {
        "PATH": f"{python.parent}:/usr/bin:/bin",
        "HOME": str(home),
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "OMP_NUM_THREADS": "1",
    }


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on, none of those that Ray gives to workers."""
    ports: list[int] = []
    while len(ports) < count:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if not 10_002 <= port <= 19_999 and port not in ports:
            ports.append(port)
    return ports


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - our own head
            return bool(answer.status == 200)
    except OSError:
        return False
