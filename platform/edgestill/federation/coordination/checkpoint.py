"""A run's state after each round, on disk, so that a resumed run equals an uninterrupted one.

One safetensors file a round, written whole or not at all. It carries a digest of its own content
and the digest of the configuration; a damaged file is passed over for the one before it.
"""

import hashlib
import json
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save_file

from edgestill.errors import CheckpointError

log = logging.getLogger(__name__)

FILE = re.compile(r"round-(\d{6})\.safetensors")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """State after a round: arrays by flat name, and a tree of plain JSON values."""

    round_number: int
    arrays: Mapping[str, NDArray[Any]]
    plain: Mapping[str, Any]


class CheckpointFolder:
    """The ``checkpoints/`` of a run."""

    def __init__(self, folder: Path, config_digest: str) -> None:
        self._folder = folder
        self._config_digest = config_digest

    def save(self, checkpoint: Checkpoint) -> Path:
        """Write a checkpoint atomically."""
        self._folder.mkdir(parents=True, exist_ok=True)
        plain = json.dumps(checkpoint.plain, allow_nan=False, sort_keys=True)
        arrays = {name: np.asarray(array, order="C") for name, array in checkpoint.arrays.items()}
        path = self._folder / f"round-{checkpoint.round_number:06d}.safetensors"
        partial = path.with_suffix(".partial")
        metadata = {
            "plain": plain,
            "config_digest": self._config_digest,
            "content_digest": _content_digest(arrays, plain),
        }
        save_file(arrays, partial, metadata=metadata)
        os.replace(partial, path)
        return path

    def newest(self, *, at_most: int | None = None) -> Checkpoint:
        """Return the newest sound checkpoint, saying which damaged ones were passed over.

        Args:
            at_most: take none after this round.

        Raises:
            CheckpointError: there is none, or it belongs to another configuration.
        """
        for round_number, path in self._files():
            if at_most is not None and round_number > at_most:
                continue
            try:
                return self._load(round_number, path)
            except (SafetensorError, OSError, KeyError, ValueError) as error:
                log.warning("%s: damaged (%s); taking the checkpoint before it", path, error)
        wanted = "" if at_most is None else f" up to round {at_most}"
        raise CheckpointError(f"{self._folder}: no usable checkpoint{wanted}")

    def _files(self) -> list[tuple[int, Path]]:
        if not self._folder.is_dir():
            raise CheckpointError(f"{self._folder}: no such folder; --resume takes a run's folder")
        matches = [(FILE.fullmatch(path.name), path) for path in self._folder.iterdir()]
        return sorted(((int(m[1]), path) for m, path in matches if m is not None), reverse=True)

    def _load(self, round_number: int, path: Path) -> Checkpoint:
        with safe_open(path, framework="numpy") as handle:
            metadata = handle.metadata() or {}
        arrays = load_file(path)
        plain = metadata["plain"]
        if metadata["content_digest"] != _content_digest(arrays, plain):
            raise ValueError("its digest does not match its content")
        if metadata["config_digest"] != self._config_digest:
            raise CheckpointError(
                f"{path}: written by configuration {metadata['config_digest']}, this one is "
                f"{self._config_digest}; resume with the run's own config.yaml"
            )
        return Checkpoint(round_number=round_number, arrays=arrays, plain=json.loads(plain))


def _content_digest(arrays: Mapping[str, NDArray[Any]], plain: str) -> str:
    hasher = hashlib.blake2b(plain.encode(), digest_size=16)
    for name in sorted(arrays):
        array = arrays[name]
        hasher.update(f"{name}/{array.dtype.str}/{array.shape}".encode())
        # As bytes, without a copy of what may be large.
        hasher.update(array.reshape(-1).view(np.uint8).data)
    return hasher.hexdigest()
