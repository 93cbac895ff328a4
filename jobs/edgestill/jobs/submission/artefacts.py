"""What a run leaves for its user, as one archive that is small enough to pass a dashboard."""

import logging
import os
import zlib
from pathlib import Path
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

from edgestill.errors import InputError, RunError

log = logging.getLogger(__name__)

ARTEFACTS = ("report.json", "report.html", "run.log", "config.yaml", "metrics.prom")
LARGEST_FILE_BYTES = 64_000_000
LARGEST_ARCHIVE_BYTES = 128_000_000


def archive_name(submission_id: str) -> str:
    """Return the archive's name in the folder of Ray's logs."""
    return f"edgestill-{submission_id}.zip"


def pack(run: Path, archive: Path) -> None:
    """Write the artefacts that a run's folder has, checkpoints not among them.

    A run whose artefacts cannot be packed has not failed: they are in its folder, and the log says
    so.
    """
    partial = archive.with_name(f".{archive.name}.{os.getpid()}")
    try:
        with ZipFile(partial, "w", ZIP_DEFLATED) as target:
            for name in ARTEFACTS:
                path = run / name
                if path.is_file() and path.stat().st_size <= LARGEST_FILE_BYTES:
                    target.write(path, name)
        os.replace(partial, archive)
    except OSError as error:
        log.warning("the artefacts stay in %s, they cannot be packed: %s", run, error)
    finally:
        partial.unlink(missing_ok=True)


def unpack(archive: Path, out: Path) -> list[Path]:
    """Write an archive's artefacts into a new or empty folder and return their paths.

    Nothing but the known names is taken from the archive, and no more than the known sizes.

    Raises:
        InputError: the folder holds something already, or cannot be written.
        RunError: it is no archive of ours.
    """
    check_out(out)
    try:
        with ZipFile(archive) as source:
            contents = {name: _read(source, name) for name in _known(source)}
    # zipfile has no class of its own for what is encrypted or coded in a way unknown to it.
    except (BadZipFile, EOFError, zlib.error, RuntimeError) as error:
        raise RunError(f"the archive that the head sent is damaged: {error}") from error
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            (out / name).write_bytes(content)
    except OSError as error:
        raise InputError(f"--out {out}: cannot be written: {error}") from error
    return [out / name for name in contents]


def check_out(out: Path) -> None:
    """Refuse a folder that holds something.

    Raises:
        InputError: it does, or it is no folder.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"--out {out}: exists and is not an empty folder; give another")


def _known(source: ZipFile) -> list[str]:
    return [name for name in source.namelist() if name in ARTEFACTS]


def _read(source: ZipFile, name: str) -> bytes:
    with source.open(name) as member:
        content = member.read(LARGEST_FILE_BYTES + 1)
    if len(content) > LARGEST_FILE_BYTES:
        raise RunError(f"{name} in the archive exceeds {LARGEST_FILE_BYTES / 1e6:.0f} MB")
    return content
