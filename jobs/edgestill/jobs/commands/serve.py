"""``edgestill serve``: answer devices as the cloud or a fog, on Ray."""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from edgestill.errors import InputError
from edgestill.jobs.commands.common import TABLE_COLUMNS, Quiet, stop_by_interrupt
from edgestill.jobs.commands.token import TOKEN_VARIABLE, serving_token

if TYPE_CHECKING:
    from edgestill.inference.service import ServiceSettings
    from edgestill.jobs.serving.job import Ready, ServeSettings

_TIERS = ("cloud", "fog")


def serve(
    run_dir: Annotated[
        Path, typer.Argument(metavar="RUN_DIR", help="A folder of `joint`, or a run with joint/.")
    ],
    address: Annotated[
        str | None, typer.Option(help="HOST:PORT of a Ray cluster; this machine by default.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to bind; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes a free one.")] = 8080,
    tier: Annotated[str, typer.Option(help="cloud or fog.")] = "cloud",
    cloud: Annotated[
        str | None, typer.Option(metavar="URL", help="With --tier fog: who answers hard inputs.")
    ] = None,
    ca: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --cloud: certificates to trust.")
    ] = None,
    doubt: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="With --cloud: hand on answers less sure than 1 - DOUBT."),
    ] = None,
    replicas: Annotated[
        str | None,
        typer.Option(metavar="LEAST:MOST", help="By default from one a node to one a CPU."),
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="PEM, on every node; for TLS.")
    ] = None,
    key: Annotated[Path | None, typer.Option(metavar="FILE", help="Its private key, PEM.")] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help=f"What clients must show; else ${TOKEN_VARIABLE}."),
    ] = None,
    max_frame_bytes: Annotated[int, typer.Option(min=1, help="Of one request.")] = 1 << 20,
    requests_per_s: Annotated[
        float | None, typer.Option(min=0, help="Of one client in the mean; free by default.")
    ] = None,
    most_waiting: Annotated[int, typer.Option(min=1, help="Requests in a replica's queue.")] = 256,
    prometheus_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Where the load is asked, for scaling.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Answer devices until Ctrl-C, when requests under way are answered and no more are taken.

    A model that is written anew into RUN_DIR is taken in by itself, and at SIGHUP.
    """
    least, most = _bounds(replicas)
    token = serving_token(token_file)
    _check(tier, cloud, ca, certificate, key)
    from edgestill.actors import check_address  # torch and Ray take seconds to import
    from edgestill.actors.serving import Endpoint
    from edgestill.inference.service import AboveSettings, ServiceSettings
    from edgestill.jobs.serving.job import ServeSettings

    limits = ServiceSettings(
        max_frame_bytes=max_frame_bytes,
        most_waiting=most_waiting,
        requests_per_s=requests_per_s or None,
        token=token,
        above=None
        if cloud is None
        else AboveSettings(
            url=cloud, token=token, ca_file=None if ca is None else str(ca), doubt=doubt
        ),
    )
    _check_above(limits)
    check_address(address)
    if address is None:
        _check_port(host, port)
    endpoint = Endpoint(
        host=host,
        port=port,
        settings=limits,
        certificate=certificate and certificate.absolute(),
        key=key and key.absolute(),
    )
    settings = ServeSettings(
        folder=run_dir,
        tier="fog" if tier == "fog" else "cloud",
        endpoint=endpoint,
        least=least,
        most=most,
        prometheus_url=prometheus_url,
    )
    _run(settings, address, quiet=quiet)


def _run(settings: "ServeSettings", address: str | None, *, quiet: bool) -> None:
    from edgestill.jobs.serving.job import serve as serve_until_interrupted
    from edgestill.telemetry import configure_logging

    configure_logging(None, quiet=quiet)
    stop_by_interrupt()
    serve_until_interrupted(
        settings, address=address, ready=lambda found: _show(settings, found, quiet=quiet)
    )
    sys.stdout.write("stopped; all requests that were taken are answered\n")


def _show(settings: "ServeSettings", ready: "Ready", *, quiet: bool) -> None:
    sys.stdout.write(f"{settings.tier} of model {ready.fingerprint} at {ready.url}\n")
    sys.stdout.flush()
    if quiet:
        return
    from rich.text import Text

    from edgestill.jobs.serving.job import reached
    from edgestill.monitoring import address_of
    from edgestill.report import closing_group
    from edgestill.report.table import table

    rows = [
        (
            one.node,
            str(one.pid),
            f"http://{address_of(reached(settings.endpoint, one), one.own_port)}/metrics",
        )
        for one in ready.replicas
    ]
    bounds = ready.bounds
    heading = Text(
        f"token {'asked for' if settings.endpoint.settings.token else 'not asked for'}, "
        f"{'TLS' if settings.endpoint.certificate else 'no TLS'}, "
        f"{bounds.least} to {bounds.most} replicas, run {settings.run}; until Ctrl-C"
    )
    console = Console() if sys.stdout.isatty() else Console(width=TABLE_COLUMNS)
    replicas = table("Replicas", ("node", "process", "health and metrics"), rows, texts=3)
    console.print(closing_group(heading, [replicas]))
    console.print()
    sys.stdout.flush()


def _bounds(text: str | None) -> tuple[int | None, int | None]:
    if text is None:
        return None, None
    found = re.fullmatch(r"([1-9]\d{0,3})(?::([1-9]\d{0,3}))?", text)
    least, most = (int(found[1]), int(found[2] or found[1])) if found else (2, 1)
    if least > most:
        raise InputError(f"--replicas {text}: expected LEAST:MOST, such as 1:4, or one number")
    return least, most


def _check(
    tier: str, cloud: str | None, ca: Path | None, certificate: Path | None, key: Path | None
) -> None:
    if tier not in _TIERS:
        raise InputError(f"--tier {tier}: expected {' or '.join(_TIERS)}")
    if cloud is not None and tier != "fog":
        raise InputError("--cloud needs --tier fog: a cloud asks nobody")
    if ca is not None and cloud is None:
        raise InputError("--ca needs --cloud")
    if (certificate is None) != (key is None):
        raise InputError("--certificate and --key: give both, or neither")
    if certificate is not None and key is not None:
        from edgestill.inference.service.tls import check_certificate

        check_certificate(certificate, key)


def _check_above(limits: "ServiceSettings") -> None:
    """Find a wrong address or certificate of the cloud before replicas start."""
    if limits.above is not None:
        from edgestill.inference.service.above import Above

        Above(limits.above).close()


def _check_port(host: str, port: int) -> None:
    """Find a port in use: replicas share theirs, so that another service's would seem free."""
    from edgestill.web import listen

    listen(host, port, option="--port").close()
