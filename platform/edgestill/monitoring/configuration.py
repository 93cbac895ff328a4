"""Configuration of the servers: Prometheus', Grafana's provisioning, and Compose."""

from pathlib import PurePath
from typing import Any

import yaml

from edgestill.monitoring.rules import JOB

SCRAPE_INTERVAL_S = 1
SOURCE_UID = "edgestill-prometheus"


def prometheus_configuration(
    targets: PurePath, rules: PurePath, *, interval_s: int = SCRAPE_INTERVAL_S
) -> dict[str, Any]:
    """Return Prometheus' configuration.

    Args:
        targets: folder of the target files that runs write and remove.
        rules: folder of the rule files; relative to the configuration's own, or absolute.
        interval_s: how often runs are scraped and rules evaluated, in seconds. A simulation plays
            a round in a second or less; for a fleet of real devices 15 is usual.
    """
    interval = f"{interval_s}s"
    return {
        "global": {"scrape_interval": interval, "evaluation_interval": interval},
        "rule_files": [f"{rules}/*.yml"],
        "scrape_configs": [
            {
                "job_name": JOB,
                "file_sd_configs": [{"files": [f"{targets}/*.json"], "refresh_interval": "5s"}],
            }
        ],
    }


def data_source(url: str) -> dict[str, Any]:
    """Return the provisioning of Grafana's data source."""
    return {
        "apiVersion": 1,
        "datasources": [
            {
                "name": "Prometheus",
                "uid": SOURCE_UID,
                "type": "prometheus",
                "access": "proxy",
                "url": url,
                "isDefault": True,
                "editable": False,
                # What $__rate_interval is computed from.
                "jsonData": {"timeInterval": f"{SCRAPE_INTERVAL_S}s", "httpMethod": "POST"},
            }
        ],
    }


def dashboard_provider(folder: PurePath) -> dict[str, Any]:
    """Return the provisioning of Grafana's dashboards, read from ``folder``."""
    return {
        "apiVersion": 1,
        "providers": [
            {
                "name": "edgestill",
                "folder": "edgestill",
                "type": "file",
                "disableDeletion": True,
                "allowUiUpdates": False,
                "options": {"path": str(folder)},
            }
        ],
    }


def to_yaml(content: dict[str, Any], comment: str) -> str:
    """Return YAML below a comment, one ``#`` for each line of it."""
    head = "".join(f"# {line}".rstrip() + "\n" for line in comment.splitlines())
    return head + yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=100)


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as such."""


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
