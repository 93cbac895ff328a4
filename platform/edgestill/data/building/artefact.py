"""How an artefact is written: the same content gives the same bytes."""

import hashlib
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from numpy.typing import NDArray

from edgestill.data.arrays import npy_bytes, standardising


def write_artefact(out: Path, members: Mapping[str, bytes]) -> str:
    """Write the zip (LZMA) ``out`` and its SHA-256, which is returned, to ``out``.sha256.

    Members have a fixed date and system, so that only their content matters.

    Raises:
        OSError: ``out`` cannot be written.
    """
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_LZMA
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    digest = hashlib.sha256(out.read_bytes()).hexdigest()
    out.with_suffix(".sha256").write_text(f"{digest}  {out.name}\n", encoding="ascii")
    return digest


def yaml_bytes(tree: Mapping[str, Any]) -> bytes:
    """Return a manifest's file, its keys in the order of ``tree``."""
    return yaml.safe_dump(tree, sort_keys=False).encode()


def checksum_line(array: NDArray[Any], name: str) -> bytes:
    """Return the ``.sha256`` file of an array that is rendered and not in the artefact.

    Args:
        array: whose ``.npy`` file is meant.
        name: of that file.
    """
    return f"{hashlib.sha256(npy_bytes(array)).hexdigest()}  {name}\n".encode()


def modality_entries(
    arrays: Mapping[str, NDArray[Any]], public: Sequence[int]
) -> list[dict[str, Any]]:
    """Return the manifest's ``modalities``: zero mean and unit variance over the public range.

    Args:
        arrays: by kind, in the file ``KIND.npy``.
        public: first row of the public part, and the row behind its last.
    """
    first, end = public
    entries = []
    for kind, array in arrays.items():
        scale, offset = standardising(array[first:end])
        entries.append({"kind": kind, "file": f"{kind}.npy", "scale": scale, "offset": offset})
    return entries
