"""A folder that holds a Flower app: what its pyproject says, read by Flower's own functions."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import tomli
from flwr.app import UserConfig
from flwr.common.config import (
    flatten_dict,
    get_fused_config_from_dir,
    get_project_config,
    parse_config_args,
)

from edgestill.errors import InputError

ROUNDS_KEY = "num-server-rounds"
"""Key of the run configuration by which Flower's templates set how many rounds there are."""

FILE = "pyproject.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppProject:
    """An app as its folder describes it.

    Attributes:
        folder: absolute.
        name: of the project.
        version: of the project.
        serverapp: reference ``module:attribute``.
        clientapp: reference ``module:attribute``.
        run_config: flat keys, overrides taken in.
        notes: what of the file has no meaning here.
    """

    folder: Path
    name: str
    version: str
    serverapp: str
    clientapp: str
    run_config: UserConfig
    notes: tuple[str, ...] = ()

    @property
    def rounds(self) -> int | None:
        """Rounds that the run configuration asks for; None if the app keeps that to itself."""
        rounds = self.run_config.get(ROUNDS_KEY)
        return rounds if isinstance(rounds, int) and not isinstance(rounds, bool) else None


def read_project(
    folder: Path, *, run_config: Sequence[str] = (), rounds: int | None = None
) -> AppProject:
    """Read an app's folder.

    Args:
        folder: with a ``pyproject.toml`` that has ``[tool.flwr.app]``.
        run_config: overrides in Flower's own syntax, ``"key=1 other='text'"``, or one TOML file.
        rounds: in place of the app's ``num-server-rounds``.

    Raises:
        InputError: the folder holds no such app, or an override names no key of it.
    """
    folder = folder.absolute()
    config = _config(folder)
    app = config["tool"]["flwr"]["app"]
    overrides = _overrides(run_config)
    if rounds is not None:
        overrides[ROUNDS_KEY] = _checked_rounds(folder, app.get("config", {}), rounds)
    _check_keys(folder, app.get("config", {}), overrides)
    return AppProject(
        folder=folder,
        name=str(config["project"]["name"]),
        version=str(config["project"]["version"]),
        serverapp=_component(folder, app, "serverapp"),
        clientapp=_component(folder, app, "clientapp"),
        run_config=get_fused_config_from_dir(folder, overrides),
        notes=_notes(config),
    )


def _config(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give the folder of a Flower app")
    path = folder / FILE
    try:
        return get_project_config(folder)
    except FileNotFoundError as error:
        raise InputError(f"{folder}: no {FILE} there; a Flower app has one") from error
    except tomli.TOMLDecodeError as error:
        raise InputError(f"{path}: is no TOML ({error})") from error
    except (ValueError, OSError) as error:
        said = [line.strip(" -") for line in str(error).splitlines() if line.startswith("  -")]
        raise InputError(f"{path}: {'; '.join(said) or error}") from error


def _component(folder: Path, app: dict[str, Any], kind: str) -> str:
    """Return a component's reference; apps of agents have neither."""
    reference = app["components"].get(kind)
    if not isinstance(reference, str) or not all(reference.partition(":")[::2]):
        raise InputError(
            f"{folder / FILE}: tool.flwr.app.components.{kind} is {reference!r}; expected "
            "'module:attribute', such as 'package.module:app'"
        )
    return reference


def _overrides(run_config: Sequence[str]) -> dict[str, Any]:
    try:
        overrides = parse_config_args(list(run_config))
    except click.ClickException as error:
        raise InputError(f"--run-config: {error.format_message()}") from error
    except (ValueError, OSError) as error:
        raise InputError(f"--run-config: {error}") from error
    # Flower passes over what it does not understand.
    if run_config and not overrides:
        raise InputError(f"--run-config {run_config[0]!r}: expected \"key=value other='text'\"")
    return overrides


def _check_keys(folder: Path, config: dict[str, Any], overrides: UserConfig) -> None:
    known = flatten_dict(config)
    unknown = sorted(overrides.keys() - known.keys())
    if unknown:
        raise InputError(
            f"--run-config {unknown[0]}: {folder / FILE} has no such key in [tool.flwr.app.config] "
            f"(its keys: {', '.join(sorted(known)) or 'none'})"
        )


def _checked_rounds(folder: Path, config: dict[str, Any], rounds: int) -> int:
    if ROUNDS_KEY not in config:
        keys = ", ".join(sorted(config)) or "none"
        raise InputError(
            f"--rounds {rounds}: {folder / FILE} has no {ROUNDS_KEY} in [tool.flwr.app.config]; "
            f"set the app's own key with --run-config 'KEY={rounds}' (its keys: {keys})"
        )
    return rounds


def _notes(config: dict[str, Any]) -> tuple[str, ...]:
    if "federations" in config["tool"]["flwr"]:
        return ("[tool.flwr.federations] is not used: --devices says how many there are",)
    return ()
