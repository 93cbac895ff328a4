"""The manifest of a data folder: its schema; it may name only files of that folder."""

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationError,
)

from edgestill.data.arrays import Source
from edgestill.errors import DataError

MANIFEST = "manifest.yaml"


def _split(value: Any) -> Any:
    if isinstance(value, str):
        return value
    is_range = isinstance(value, list) and len(value) == 2
    if not is_range or any(type(bound) is not int for bound in value):
        raise ValueError("expected the name of an .npy file or a range [start, stop]")
    if not 0 <= value[0] < value[1]:
        raise ValueError("expected a range [start, stop] with 0 <= start < stop")
    return tuple(value)


def _kinds_differ(entries: tuple["ModalityEntry", ...]) -> tuple["ModalityEntry", ...]:
    kinds = [entry.kind for entry in entries]
    twice = sorted({kind for kind in kinds if kinds.count(kind) > 1})
    if twice:
        raise ValueError(f"two modalities of the kind {twice[0]}; expected at most one of each")
    return entries


def _not_zero(scale: float) -> float:
    if scale == 0.0:
        raise ValueError("a scale of 0 would erase the modality")
    return scale


SplitEntry = Annotated[str | tuple[int, int], BeforeValidator(_split)]
Number = Annotated[float, Field(strict=True)]


class Section(BaseModel):
    """Base of all sections: frozen, no unknown keys, no coercion."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ModalityEntry(Section):
    """One modality: ``raw * scale + offset`` is what models see."""

    kind: Literal["visual", "audio", "sensor"]
    file: StrictStr
    scale: Annotated[Number, AfterValidator(_not_zero)] = 1.0
    offset: Number = 0.0
    synthetic: StrictBool = False


class SplitsEntry(Section):
    """Each split is an ``.npy`` of indices or a range [start, stop)."""

    public: SplitEntry
    validation: SplitEntry
    private: SplitEntry
    test: SplitEntry


class Manifest(Section):
    """``manifest.yaml``; ``provenance`` is free text and numbers for people."""

    name: Annotated[StrictStr, Field(min_length=1, max_length=64)]
    classes: Annotated[StrictInt, Field(ge=2)]
    modalities: Annotated[
        tuple[ModalityEntry, ...], Field(min_length=1), AfterValidator(_kinds_differ)
    ]
    labels: StrictStr
    users: StrictStr | None = None
    splits: SplitsEntry
    provenance: dict[str, Any] = Field(default_factory=dict)


def read_manifest(folder: Path) -> Manifest:
    """Read and check ``folder/manifest.yaml``.

    Raises:
        DataError: it is missing, not YAML, or a key is unknown, missing or wrong.
    """
    path = folder / MANIFEST
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; expected a folder with {MANIFEST}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise DataError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    try:
        return Manifest.model_validate(tree)
    except ValidationError as error:
        raise DataError(f"{path}: {_first_reason(error)}") from error


def locate(folder: Path, name: str, key: str) -> Source:
    """Return the file that a key of the manifest names.

    Raises:
        DataError: the name is absolute, climbs out by ``..``, or leads outside through a link.
    """
    source = Source(path=folder / MANIFEST, key=key)
    if Path(name).is_absolute() or ".." in Path(name).parts or not name:
        raise source.fault(f"{name!r} leads outside the folder; expected a file name within it")
    try:
        home, path = folder.resolve(), (folder / name).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise source.fault(f"{name!r} is no usable file name: {error}") from error
    if not path.is_relative_to(home):
        raise source.fault(f"{name!r} is a link to {path}, outside the folder")
    return Source(path=folder / name, key=key)


def _first_reason(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"]) or "the whole"
    if first["type"] == "extra_forbidden":
        return f"{key}: unknown key"
    if first["type"] == "missing":
        return f"{key}: missing key"
    message = first["msg"].removeprefix("Value error, ")
    return f"{key}: {message[0].lower()}{message[1:]} (got {first['input']!r})"
