"""The generated files under ``dashboards/``: written, or compared with what is there."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from edgestill.errors import InputError
from edgestill.monitoring.compose import COMMENT, compose
from edgestill.monitoring.configuration import (
    dashboard_provider,
    data_source,
    prometheus_configuration,
    to_yaml,
)
from edgestill.monitoring.rules import rule_file

GENERATED = "Made by `edgestill dashboards`; change it there."
PROMETHEUS_COMMENT = f"""\
{GENERATED} Runs are found by the files that they
write and remove; /targets is where they do so. Check with: promtool check config prometheus.yml"""
RULES_COMMENT = f"""\
{GENERATED} Check with: promtool check rules edgestill.yml
and, in ../tests: promtool test rules edgestill.yml"""


def generated() -> Mapping[str, str]:
    """Return the content of each file, by its path below ``dashboards``.

    Raises:
        InputError: grafana-foundation-sdk is not installed.
    """
    provisioning = "grafana/provisioning"
    in_container = PurePosixPath("/dashboards")
    configuration = prometheus_configuration(PurePosixPath("/targets"), PurePosixPath("rules"))
    source = data_source("http://prometheus:9090")
    provider = dashboard_provider(in_container)
    return {
        **dashboards(),
        f"{provisioning}/datasources/prometheus.yaml": to_yaml(source, GENERATED),
        f"{provisioning}/dashboards/edgestill.yaml": to_yaml(provider, GENERATED),
        "prometheus/prometheus.yml": to_yaml(configuration, PROMETHEUS_COMMENT),
        "prometheus/rules/edgestill.yml": to_yaml(rule_file(), RULES_COMMENT),
        "compose.yaml": to_yaml(compose(), f"{COMMENT}\n{GENERATED}"),
    }


def dashboards() -> Mapping[str, str]:
    """Return the JSON of each dashboard by its path.

    Raises:
        InputError: grafana-foundation-sdk is not installed.
    """
    try:
        from edgestill.monitoring.grafana import dashboard_json
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("grafana_foundation_sdk"):
            raise
        raise InputError(
            "dashboards are made with grafana-foundation-sdk: pip install 'edgestill[cloud]'"
        ) from error
    from edgestill.monitoring.boards import BOARDS

    return {f"grafana/{board.name}.json": dashboard_json(board, BOARDS) for board in BOARDS}


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write files below a folder, making it and what is between.

    Raises:
        InputError: a file cannot be written.
    """
    for name, text in files.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror})") from error


def first_outdated(folder: Path, files: Mapping[str, str]) -> Path | None:
    """Return the first file whose content is not as given, or that is not there; None if all are.

    Raises:
        InputError: a file is there and cannot be read.
    """
    return next(
        (folder / name for name, text in files.items() if _read(folder / name) != text), None
    )


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
