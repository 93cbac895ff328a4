"""From a published folder to a :class:`Dataset`; features are computed once, into the cache."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgestill.data.arrays import Source, npy_bytes, open_features, standardising
from edgestill.data.bundled import cache_folder, write_whole
from edgestill.data.dataset import Dataset, Modality, Rows, content_digest
from edgestill.data.recordings.features import middle_frame, picture, spectrogram
from edgestill.data.recordings.names import CORPORA, Clip, Corpus, clips_of
from edgestill.errors import DataError
from edgestill.seeds import generator

RECORDINGS = tuple(CORPORA)
SHARES = {"public": 0.4, "validation": 0.1, "private": 0.3, "test": 0.2}
"""Of the actors, in an order drawn once and for all."""
_FORM_VERSION = 1
"""Counts up whenever features of the same files change."""


def load_recordings(name: str, folder: Path, layout: str) -> Dataset:
    """Open the clips of a published corpus.

    The first call computes the features of all clips, which takes minutes for the whole corpora;
    they lie in the user's cache under a name made of all files' names, sizes and times.

    Args:
        name: how the data set is called in reports.
        folder: as it was downloaded (see :mod:`edgestill.data.recordings`).
        layout: one of :data:`RECORDINGS`.

    Raises:
        DataError: a clip is missing its frames, unreadable or of an unknown name, there are fewer
            than four actors, or the cache cannot be written.
    """
    corpus = CORPORA[layout]
    clips = clips_of(corpus, folder)
    users = np.array([clip.actor for clip in clips], np.int64)
    labels = np.array([clip.emotion for clip in clips], np.int64)
    splits = _splits(users, folder)
    files = _files(clips, folder / "frames")
    arrays = _features(files, cache_folder() / f"{layout}-{_files_digest(files, folder)}")
    modalities = {kind: _modality(kind, rows, splits["public"]) for kind, rows in arrays.items()}
    return Dataset(
        name=name,
        modalities=modalities,
        arrays=arrays,
        labels=labels,
        users=users,
        classes=len(corpus.emotions),
        splits=splits,
        digest=content_digest(modalities, arrays, labels, users, splits),
        provenance=_provenance(corpus, arrays),
    )


def _splits(users: NDArray[np.int64], folder: Path) -> dict[str, NDArray[np.int64]]:
    actors = np.unique(users)
    if len(actors) < len(SHARES):
        raise DataError(
            f"{folder} (data.path): clips of {len(actors)} actors; expected at least {len(SHARES)}"
        )
    order = generator(0, "actors").permutation(actors)
    ends = np.round(np.cumsum(list(SHARES.values())) * len(actors)).astype(int)
    # Each part has at least one actor, however few there are.
    ends = np.maximum(ends, np.arange(1, 5))
    ends = np.minimum(ends, len(actors) - np.arange(3, -1, -1))
    parts = np.split(order, ends[:-1])
    return {
        split: np.flatnonzero(np.isin(users, part))
        for split, part in zip(SHARES, parts, strict=True)
    }


def _files(clips: list[Clip], frames: Path) -> dict[str, list[Path]]:
    """Return the one file of each clip, by kind; no pictures where there is no folder of them."""
    files = {"audio": [clip.wav for clip in clips]}
    if frames.is_dir():
        files = {"visual": [middle_frame(clip, frames) for clip in clips], **files}
    return files


def _features(files: Mapping[str, list[Path]], cache: Path) -> dict[str, Rows]:
    """Return the arrays by kind, memory-mapped, computed first where they are not there yet."""
    makers = {"visual": picture, "audio": spectrogram}
    opened: dict[str, Rows] = {}
    for kind, paths in files.items():
        stored = cache / f"{kind}.npy"
        if not stored.is_file():
            write_whole(stored, npy_bytes(np.stack([makers[kind](path) for path in paths])))
        opened[kind] = open_features(Source(path=stored, key="cache"))
    return opened


def _files_digest(files: Mapping[str, list[Path]], folder: Path) -> str:
    """Return what names the content of all files without reading them."""
    state = hashlib.blake2b(str(_FORM_VERSION).encode(), digest_size=8)
    for path in (path for paths in files.values() for path in paths):
        try:
            facts = path.stat()
        except OSError as error:
            raise DataError(f"{path} (data.path): cannot be read: {error.strerror}") from error
        state.update(f"{path.relative_to(folder)}/{facts.st_size}/{facts.st_mtime_ns}\n".encode())
    return state.hexdigest()


def _modality(kind: str, rows: Rows, public: NDArray[np.int64]) -> Modality:
    scale, offset = standardising(rows[public])
    return Modality(kind=kind, file=f"{kind}.npy", shape=rows.shape[1:], scale=scale, offset=offset)


def _provenance(corpus: Corpus, arrays: Mapping[str, Rows]) -> dict[str, object]:
    without_frames = "left out: no folder frames; videos are not decoded here"
    return {
        "corpus": corpus.name,
        "source": corpus.source,
        "classes": list(corpus.emotions),
        "visual": "the middle frame" if "visual" in arrays else without_frames,
        "users": "the actors; each is in one split, in an order drawn once and for all",
    }
