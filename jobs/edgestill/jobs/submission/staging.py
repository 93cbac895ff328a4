"""One folder with all that a job needs on nodes that have only the dependencies installed."""

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import edgestill
from edgestill.actors import submission
from edgestill.config import RunConfig, dump
from edgestill.errors import InputError

LEAVES_OUT = (".gitignore", ".rayignore")
"""Ray would leave out what they name."""

Keys = tuple[str | int, ...]
"""Keys and indices that lead to a value of the configuration."""

LARGEST_STAGED_BYTES = 200_000_000
CONFIG_FILE = "config.yaml"
FILES = "files"

STAY = {("telemetry", "targets_path"), ("allocation", "prometheus_token_file")}
"""Paths that are sent as they stand: one is written, and a secret does not travel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """What is sent.

    Attributes:
        package: folder ``edgestill``, merged from all portions of the namespace.
        inputs: the configuration and the files that it names; every node works in a copy of it.
        config: the configuration as the job sees it; paths of sent files are relative.
    """

    package: Path
    inputs: Path
    config: RunConfig


def stage(config: RunConfig, folder: Path) -> Staged:
    """Copy the package, the configuration and the files that it names into an empty folder.

    Raises:
        InputError: a file cannot be read, or all together exceed ``LARGEST_STAGED_BYTES``.
    """
    package, inputs = stage_package(folder), folder / "inputs"
    inputs.mkdir()
    left = LARGEST_STAGED_BYTES - size_bytes(package)
    places: dict[Keys, Path] = {}
    for keys, source in named_files(config):
        places[keys] = Path(FILES) / f"{len(places):02d}" / source.name
        left -= _copy(source, inputs / places[keys], ".".join(map(str, keys)), left)
    sent = _with_paths(config, places)
    (inputs / CONFIG_FILE).write_text(dump(sent), encoding="utf-8")
    return Staged(package=package, inputs=inputs, config=sent)


def as_nodes_see_it(config: RunConfig) -> RunConfig:
    """Return a submitted job's configuration with relative paths to what was sent with it.

    Every process of a job works in a copy of the job's folder, on whatever node. Outside a job the
    configuration is returned as it is.
    """
    if submission() is None:
        return config
    here = Path.cwd()
    places = {
        keys: path.relative_to(here)
        for keys, path in named_files(config)
        if path.is_relative_to(here)
    }
    return _with_paths(config, places)


def stage_package(folder: Path) -> Path:
    """Copy every portion of the package, without compiled files, and return the merged folder."""
    package = folder / "edgestill"
    # Where two portions have a module, Python takes that of the first.
    for portion in reversed(edgestill.__path__):
        shutil.copytree(
            portion,
            package,
            ignore=shutil.ignore_patterns("__pycache__", "*.py[co]", ".*"),
            dirs_exist_ok=True,
        )
    return package


def named_files(config: RunConfig) -> Iterator[tuple[Keys, Path]]:
    """Yield the keys and the path of each file or folder that is read by the configuration."""
    for keys, value in _leaves(config.model_dump()):
        if isinstance(value, Path) and keys not in STAY:
            yield keys, value


def size_bytes(path: Path) -> int:
    """Return the bytes of a file, or of all files below a folder."""
    return sum(file.stat().st_size for file in _files(path))


def _leaves(node: Any, keys: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    if isinstance(node, dict):
        items: Any = node.items()
    elif isinstance(node, list | tuple):
        items = enumerate(node)
    else:
        yield keys, node
        return
    for key, value in items:
        yield from _leaves(value, (*keys, key))


def _with_paths(config: RunConfig, places: Mapping[Keys, Path]) -> RunConfig:
    tree: Any = config.model_dump(mode="json")
    for (*branches, last), path in places.items():
        node = tree
        for key in branches:
            node = node[key]
        node[last] = str(path)
    return RunConfig.model_validate(tree)


def _copy(source: Path, target: Path, key: str, left: int) -> int:
    """Copy a file or folder and return its bytes."""
    try:
        size = size_bytes(source)
        if size > left:
            raise InputError(
                f"{key}: {source} has {size / 1e6:.0f} MB; no more than "
                f"{LARGEST_STAGED_BYTES / 1e6:.0f} MB are sent with a job: put it on storage that "
                "all nodes see, and run the job there by ray job submit"
            )
        target.parent.mkdir(parents=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns(*LEAVES_OUT))
        else:
            shutil.copy2(source, target)
    except (OSError, shutil.Error) as error:
        raise InputError(f"{key}: {source} cannot be sent: {error}") from error
    return size


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for folder, _, names in os.walk(path, followlinks=True):
        yield from (Path(folder) / name for name in names)
