"""From YAML and ``--set`` to a typed tree, with the key named when something is wrong."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from edgestill.config.section import Section
from edgestill.config.tree import RunConfig
from edgestill.errors import ConfigurationError

Tree = TypeVar("Tree", bound=Section)

PATH_KEYS = ("path", "_file")

CHANGES_NO_NUMBER: Any = {
    "name": True,
    "telemetry": True,
    "engine": True,
    "comparisons": True,
    "privacy": {"epsilon_budget"},
    "allocation": {
        "prometheus_url",
        "prometheus_token_file",
        "prometheus_ca_file",
        "prometheus_timeout_s",
    },
}


def load(path: Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Read a run's configuration; see :func:`load_as`."""
    return load_as(RunConfig, path, overrides)


def resolve(
    tree: Mapping[str, Any], overrides: Sequence[str] = (), *, where: str = "configuration"
) -> RunConfig:
    """Check a run's tree of plain values; see :func:`resolve_as`."""
    return resolve_as(RunConfig, tree, overrides, where=where)


def load_as(kind: type[Tree], path: Path, overrides: Sequence[str] = ()) -> Tree:
    """Read a YAML file as a tree of this kind, with ``dotted.key=value`` overrides, and check it.

    Relative paths in the file are taken from the file's folder; those of an override, from the
    working directory.

    Raises:
        ConfigurationError: the file cannot be read, is not a mapping, or a key is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}") from error
    try:
        tree = yaml.safe_load(text)
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise ConfigurationError(f"{path}: not valid YAML: {reason}") from error
    tree = {} if tree is None else tree
    if not isinstance(tree, dict):
        raise ConfigurationError(f"{path}: expected a mapping of keys, got {type(tree).__name__}")
    anchored = _anchored(tree, path.resolve().parent)
    return resolve_as(kind, anchored, overrides, where=str(path))


def resolve_as(
    kind: type[Tree],
    tree: Mapping[str, Any],
    overrides: Sequence[str] = (),
    *,
    where: str = "configuration",
) -> Tree:
    """Check a tree of plain values, after overrides.

    Paths that are still relative are taken from the working directory, so that the resolved tree
    means the same wherever it is written and read again.

    Raises:
        ConfigurationError: naming the first wrong key, what was wrong and what would be right.
    """
    plain: Any = {**tree}
    for override in overrides:
        plain = _with_override(plain, override, kind)
    try:
        return kind.model_validate(_anchored(plain, Path.cwd()))
    except ValidationError as error:
        raise ConfigurationError(f"{where}: {_first_reason(error, kind)}") from error


def dump(config: Section) -> str:
    """Return the resolved tree as YAML that :func:`load` reads back to an equal tree."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def digest(config: RunConfig) -> str:
    """Return 16 hex digits that name what the numbers of a run depend on.

    The name, the telemetry, the engine and the metrics server change no number, so they are left
    out.
    """
    plain = config.model_dump(mode="json", exclude=CHANGES_NO_NUMBER)
    return hashlib.blake2b(yaml.safe_dump(plain).encode(), digest_size=8).hexdigest()


def _with_override(tree: Any, override: str, kind: type[Section]) -> Any:
    key, separator, text = override.partition("=")
    if not separator or not key:
        raise ConfigurationError(f"--set {override}: expected dotted.key=value")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"--set {key}: {text!r} is not a YAML value") from error
    return _put(tree, kind().model_dump(mode="json"), key.split("."), value, key)


def _put(node: Any, default: Any, path: list[str], value: Any, key: str) -> Any:
    """Return ``node``, or ``default`` where it is absent, with ``value`` at ``path``.

    List items are addressed by their index.
    """
    if not path:
        return value
    node = default if node is None else node
    head, *rest = path
    if isinstance(node, list | tuple):
        if not head.isdecimal() or int(head) >= len(node):
            raise ConfigurationError(
                f"--set {key}: {head!r} is no index of a list of {len(node)} items"
            )
        items = list(node)
        items[int(head)] = _put(items[int(head)], None, rest, value, key)
        return items
    if node is not None and not isinstance(node, dict):
        raise ConfigurationError(f"--set {key}: {head!r} lies below a plain value")
    branch = dict(node or {})
    below = default.get(head) if isinstance(default, dict) else None
    branch[head] = _put(branch.get(head), below, rest, value, key)
    return branch


def _anchored(node: Any, folder: Path) -> Any:
    """Return the tree with every relative path taken from a folder."""
    if isinstance(node, dict):
        return {
            key: str(folder / value)
            if key.endswith(PATH_KEYS) and isinstance(value, str)
            else _anchored(value, folder)
            for key, value in node.items()
        }
    if isinstance(node, list):
        return [_anchored(item, folder) for item in node]
    return node


def _first_reason(error: ValidationError, kind: type[Section]) -> str:
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"]) or "root"
    if first["type"] == "extra_forbidden":
        known = _known_keys(tuple(first["loc"][:-1]), kind)
        return f"{key}: unknown key; known here: {', '.join(known)}"
    message = first["msg"].removeprefix("Value error, ")
    reason = f"{key}: {message[0].lower()}{message[1:]}"
    # A check of a whole section names what it saw.
    given = first["input"]
    return reason if isinstance(given, dict | BaseModel) else f"{reason} (got {given!r})"


def _known_keys(path: tuple[int | str, ...], kind: type[Section]) -> list[str]:
    """Return the keys of the section at ``path``, walking the declared types."""
    schema: dict[str, Any] = kind.model_json_schema()
    definitions = schema.get("$defs", {})
    node = schema
    for part in path:
        node = node.get("items", {}) if isinstance(part, int) else node["properties"].get(part, {})
        node = definitions.get(node.get("$ref", "").rpartition("/")[2], node)
    return list(node.get("properties", {}))
