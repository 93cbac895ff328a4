"""``edgestill monitor``: a Prometheus on this machine that follows its runs."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from edgestill.jobs.commands.common import stop_by_interrupt


def monitor(
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="On loopback; 0 takes a free one.")
    ] = 9090,
    out: Annotated[
        Path | None,
        typer.Option(help="Its folder, kept; by default in $XDG_STATE_HOME or ~/.local/state."),
    ] = None,
) -> None:
    """Run Prometheus on this machine, scraping its runs each second, until Ctrl-C."""
    from edgestill.monitoring import dashboards, serving, state_folder, targets_folder, write
    from edgestill.monitoring.configuration import dashboard_provider, data_source, to_yaml
    from edgestill.monitoring.files import GENERATED

    folder = (out or state_folder() / "prometheus").absolute()
    stop_by_interrupt()
    try:
        with serving(folder, targets_folder(), port=port) as server:
            grafana = folder / "grafana"
            write(folder, dashboards())
            write(
                grafana / "provisioning",
                {
                    "datasources/prometheus.yaml": to_yaml(data_source(server.url), GENERATED),
                    "dashboards/edgestill.yaml": to_yaml(dashboard_provider(grafana), GENERATED),
                },
            )
            sys.stdout.write(_welcome(server.url, folder))
            sys.stdout.flush()
            server.wait()
    except KeyboardInterrupt:
        sys.stdout.write(f"stopped; what was collected stays in {folder / 'data'}\n")


def _welcome(url: str, folder: Path) -> str:
    provisioning = folder / "grafana" / "provisioning"
    return f"""\
Prometheus at {url}, until Ctrl-C; runs of this machine are found by themselves.

To let it decide:   edgestill run CONFIG --set allocation.prometheus_url={url}
Grafana, installed: GF_PATHS_PROVISIONING={provisioning} grafana server
or in a container:  docker run --network host --volume {folder}/grafana:{folder}/grafana:ro \\
                        --env GF_PATHS_PROVISIONING={provisioning} \\
                        --env GF_SERVER_HTTP_ADDR=127.0.0.1 grafana/grafana:11.6.0
"""
