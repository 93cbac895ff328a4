"""The folder of an app's run: made once, never written over."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from edgestill.errors import InputError, RunError

ARRAYS_FILE = "arrays.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppFolder:
    """Where an app's run keeps its report, its log, its last metrics and the final arrays."""

    path: Path

    @property
    def log(self) -> Path:
        """The log."""
        return self.path / "run.log"

    def write_report(self, report: Mapping[str, Any]) -> Path:
        """Write ``report.json``, whole or not at all."""
        text = json.dumps(report, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
        return self._write("report.json", text.encode())

    def write_metrics(self, exposition: bytes) -> Path:
        """Keep the last exposition of all metrics."""
        return self._write("metrics.prom", exposition)

    def write_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> Path | None:
        """Write the final arrays; None where their types have no place in such a file."""
        try:
            data = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
        except (KeyError, ValueError, TypeError):
            return None
        return self._write(ARRAYS_FILE, data)

    def _write(self, name: str, data: bytes) -> Path:
        path, partial = self.path / name, self.path / f".{name}"
        try:
            partial.write_bytes(data)
            os.replace(partial, path)
        except OSError as error:
            raise RunError(f"{path}: cannot be written ({error.strerror})") from error
        return path


def place(name: str, out: Path | None) -> Path:
    """Return where a run of this name writes: ``out``, or by default ``runs/NAME-TIME``."""
    return (out or Path("runs") / f"{name}-{datetime.now(UTC):%Y%m%d-%H%M%S}").absolute()


def create(path: Path) -> AppFolder:
    """Make a new folder.

    Raises:
        InputError: it holds something already, or cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        if any(path.iterdir()):
            raise InputError(f"--out {path}: not empty; give another folder")
    except OSError as error:
        raise InputError(f"--out {path}: cannot be made ({error.strerror})") from error
    return AppFolder(path=path)
