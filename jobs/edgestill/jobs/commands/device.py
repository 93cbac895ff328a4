"""``edgestill device``: let Prometheus see a real machine as a device of a group."""

import re
import signal
import sys
import threading
from pathlib import Path
from typing import Annotated

import typer

from edgestill.errors import InputError

GROUP = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def device(
    group: Annotated[str, typer.Option(help="The group that the machine belongs to.")],
    number: Annotated[int, typer.Option(min=0, help="The device's number in its run.")] = 0,
    host: Annotated[str, typer.Option(help="Address to bind; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes a free one.")] = 0,
    targets: Annotated[
        Path | None, typer.Option(help="Folder of target files that Prometheus watches.")
    ] = None,
) -> None:
    """Export this machine's CPU, memory, battery and temperature until it is stopped."""
    from edgestill.federation.coordination.exports import machine_contents
    from edgestill.fleet import HostVitals
    from edgestill.monitoring.targets import address_of, announced, targets_folder
    from edgestill.telemetry import Exporter

    if not GROUP.fullmatch(group):
        raise InputError(f"--group {group}: expected 1 to 64 letters, digits, dots, - or _")
    machine = HostVitals()
    exporter = Exporter(
        lambda: machine_contents(machine.read(), group, number), host=host, port=port
    )
    address = address_of(host, exporter.start())
    over = threading.Event()
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: over.set())
    with announced(targets_folder(targets), f"device-{group}-{number}", address):
        sys.stdout.write(f"http://{address}/metrics\n")
        sys.stdout.flush()
        over.wait()
    exporter.stop()
