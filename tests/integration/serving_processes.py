"""`edgestill serve` as a process of its own, over a joint model that nobody trained."""

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import psutil
from processes import wait_until

from edgestill.inference.joint import save_joint

sys.path.append(str(Path(__file__).parents[1] / "platform" / "inference"))

from joint_models import model

TOKEN = "s3cret-of-a-test"  # noqa: S105 - a test's


def joint_folder(folder):
    """Write a model into a folder and return where."""
    save_joint(folder / "joint", model(), {})
    return folder / "joint"


@contextmanager
def serving(folder, log, *options):
    """Run `edgestill serve` inside the block; give its process and its address."""
    command = [sys.executable, "-m", "edgestill.jobs.cli", "serve", str(folder), *options]
    with log.open("w") as out:
        process = subprocess.Popen(  # noqa: S603 - our own command
            command,
            env={**os.environ, "EDGESTILL_SERVING_TOKEN": TOKEN},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        found = wait_until(
            lambda: (
                process.poll() is not None or re.search(r"of model \w+ at (\S+)\n", log.read_text())
            ),
            within_s=120,
            what="the service",
        )
        assert process.poll() is None, log.read_text()
        yield process, found[1]
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=90) == 0, log.read_text()


def replicas(process):
    return [one for one in psutil.Process(process.pid).children(recursive=True) if served_by(one)]


def served_by(process):
    try:
        return process.name().startswith("ray::Replica") or "ray::Replica" in process.cmdline()[0]
    except (psutil.Error, IndexError):
        return False
