"""From a manifest folder to a :class:`Dataset`, with everything checked that can be checked."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgestill.data.arrays import Source, open_features, read_integers
from edgestill.data.dataset import KINDS, SPLITS, Dataset, Modality, Rows, content_digest
from edgestill.data.manifest import MANIFEST, Manifest, ModalityEntry, locate, read_manifest
from edgestill.errors import DataError

_SAMPLE_AXES = {"visual": "(C, H, W)", "audio": "(1, mel, frames)", "sensor": "(channels, time)"}


def load_folder(folder: Path) -> Dataset:
    """Open a folder with ``manifest.yaml`` and ``.npy`` files.

    Raises:
        DataError: anything in it is missing, damaged or contradicts the manifest.
    """
    manifest = read_manifest(folder)
    labels_source = locate(folder, manifest.labels, "labels")
    labels = read_integers(labels_source, below=manifest.classes)
    if not len(labels):
        raise labels_source.fault("holds no labels")
    opened = sorted(
        (_open(folder, entry, len(labels)) for entry in manifest.modalities),
        key=lambda pair: KINDS.index(pair[0].kind),
    )
    modalities: Mapping[str, Modality] = {modality.kind: modality for modality, _ in opened}
    arrays: Mapping[str, Rows] = {modality.kind: array for modality, array in opened}
    users = _users(folder, manifest, len(labels))
    splits = _splits(folder, manifest, len(labels))
    return Dataset(
        name=manifest.name,
        modalities=modalities,
        arrays=arrays,
        labels=labels,
        users=users,
        classes=manifest.classes,
        splits=splits,
        digest=content_digest(modalities, arrays, labels, users, splits),
        provenance=manifest.provenance,
    )


def check_length(source: Source, length: int, samples: int) -> None:
    """Raise DataError unless a file has one row for each of the labels."""
    if length != samples:
        raise source.fault(f"{length} rows, but there are {samples} labels; expected equal lengths")


def _open(folder: Path, entry: ModalityEntry, samples: int) -> tuple[Modality, Rows]:
    source = locate(folder, entry.file, f"modalities.{entry.kind}.file")
    array = open_features(source)
    axes = _SAMPLE_AXES[entry.kind]
    if array.ndim != axes.count(",") + 2 or (entry.kind == "audio" and array.shape[1] != 1):
        raise source.fault(f"shape {array.shape}; expected N samples of shape {axes}")
    check_length(source, len(array), samples)
    modality = Modality(
        kind=entry.kind,
        file=entry.file,
        shape=array.shape[1:],
        scale=entry.scale,
        offset=entry.offset,
        synthetic=entry.synthetic,
    )
    return modality, array


def _users(folder: Path, manifest: Manifest, samples: int) -> NDArray[np.int64] | None:
    if manifest.users is None:
        return None
    source = locate(folder, manifest.users, "users")
    users = read_integers(source)
    check_length(source, len(users), samples)
    return users


def _splits(folder: Path, manifest: Manifest, samples: int) -> dict[str, NDArray[np.int64]]:
    """Return all splits, in range and disjoint."""
    owner = np.full(samples, -1, np.int8)
    splits = {}
    for number, name in enumerate(SPLITS):
        entry: str | tuple[int, int] = getattr(manifest.splits, name)
        indices = _split(folder, name, entry, samples)
        others = owner[indices]
        if (others >= 0).any():
            place = int(np.flatnonzero(others >= 0)[0])
            other = SPLITS[others[place]]
            raise DataError(
                f"{folder / MANIFEST} (splits.{name}): sample {indices[place]} is also in {other}; "
                "expected disjoint splits"
            )
        owner[indices] = number
        splits[name] = indices
    return splits


def _split(
    folder: Path, name: str, entry: str | tuple[int, int], samples: int
) -> NDArray[np.int64]:
    key = f"splits.{name}"
    if isinstance(entry, tuple):
        if entry[1] > samples:
            source = Source(path=folder / MANIFEST, key=key)
            raise source.fault(f"{list(entry)} runs past the {samples} samples")
        return np.arange(*entry, dtype=np.int64)
    source = locate(folder, entry, key)
    indices = read_integers(source, below=samples)
    if not len(indices):
        raise source.fault("holds no indices")
    if len(np.unique(indices)) != len(indices):
        raise source.fault("names a sample twice")
    return indices
