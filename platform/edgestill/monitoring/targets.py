"""How a run tells Prometheus where it exports: a file that is there as long as the run is.

Prometheus watches the folder (``file_sd_configs``). A file names one exporter and gives its series
the label ``run``. Whose it is stands in labels that begin with ``__``, which Prometheus drops: a
run that was killed cannot remove its file, so the next run or monitor of this machine does.
"""

import json
import logging
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from edgestill.errors import InputError

log = logging.getLogger(__name__)

_HOST, _PID, _STARTED = (f"__edgestill_{name}__" for name in ("host", "pid", "started"))
_MOST_BYTES = 65_536
_CLOCK_TOLERANCE_S = 2.0
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - recognised, not bound


def state_folder() -> Path:
    """Return ``$XDG_STATE_HOME/edgestill``, or ``~/.local/state/edgestill`` without it."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "edgestill"


def targets_folder(given: Path | None = None) -> Path:
    """Return the folder of target files: ``telemetry.targets_path`` or the default one."""
    return (given or state_folder() / "targets").absolute()


def address_of(host: str, port: int) -> str:
    """Return where an exporter bound to ``host`` is scraped; every address means loopback."""
    host = _WILDCARDS.get(host, host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@contextmanager
def announced(
    folder: Path, run: str, address: str, labels: Mapping[str, str] | None = None
) -> Iterator[Path]:
    """Keep ``<folder>/<run>.json`` inside the block; what killed runs left there is removed.

    Args:
        folder: made if it is not there.
        run: the run's label, also the file's name.
        address: ``host:port`` of the exporter, which answers already.
        labels: further labels of the run's series.

    Raises:
        InputError: the file cannot be written.
    """
    try:
        remove_abandoned(folder)
    except OSError as error:
        raise _unwritten(folder, error) from error
    path = announce(folder, run, [address], labels)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def announce(
    folder: Path, run: str, addresses: Sequence[str], labels: Mapping[str, str] | None = None
) -> Path:
    """Write ``<folder>/<run>.json``, also over an earlier one, and return its path.

    Args:
        folder: made if it is not there.
        run: the run's label, also the file's name.
        addresses: ``host:port`` of each exporter.
        labels: further labels of the run's series.

    Raises:
        InputError: the file cannot be written.
    """
    path = folder / f"{run}.json"
    entry = {"targets": list(addresses), "labels": {"run": run, **(labels or {}), **_owner()}}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(path, json.dumps([entry], indent=2) + "\n")
    except OSError as error:
        raise _unwritten(path, error) from error
    return path


def _unwritten(path: Path, error: OSError) -> InputError:
    return InputError(f"telemetry.targets_path: {path}: cannot be written ({error.strerror})")


def remove_abandoned(folder: Path) -> list[Path]:
    """Remove the files of this machine's runs that are no more, and return their paths.

    Files of other machines, and files that no run wrote, stay.
    """
    gone = [path for path in sorted(folder.glob("*.json")) if _abandoned(path)]
    for path in gone:
        path.unlink(missing_ok=True)
        log.info("removed %s, left by a run that was killed", path)
    return gone


def _owner() -> dict[str, str]:
    process = psutil.Process()
    return {
        _HOST: socket.gethostname(),
        _PID: str(process.pid),
        _STARTED: f"{process.create_time():.2f}",
    }


def _abandoned(path: Path) -> bool:
    owner = _read_labels(path)
    if owner.get(_HOST) != socket.gethostname():
        return False
    try:
        process = psutil.Process(int(owner[_PID]))
        # Another process may have the number by now.
        return abs(process.create_time() - float(owner[_STARTED])) > _CLOCK_TOLERANCE_S
    except psutil.NoSuchProcess:
        return True
    except (KeyError, ValueError, psutil.AccessDenied):
        return False


def _read_labels(path: Path) -> dict[str, Any]:
    """Return the labels of a target file's first entry; nothing if it is none of a run's."""
    try:
        with path.open("rb") as file:
            content = json.loads(file.read(_MOST_BYTES))
        labels = content[0]["labels"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return {}
    return labels if isinstance(labels, dict) else {}


def _replace(path: Path, text: str) -> None:
    # Prometheus must never read half a file; what it watches ends in .json.
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
