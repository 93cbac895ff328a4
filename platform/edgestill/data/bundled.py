"""A bundled artefact, unpacked once into a cache folder that any number of processes share.

That of the set NAME is ``NAME/NAME.zip`` beside this file; ``NAME/NAME.sha256`` is its SHA-256.
"""

import hashlib
import os
import tempfile
import zipfile
import zlib
from pathlib import Path

from edgestill.errors import DataError

HOME = Path(__file__).parent


def unpacked(name: str) -> Path:
    """Return the manifest folder of a bundled data set, unpacked and intact.

    It lies in ``$XDG_CACHE_HOME`` (or ``~/.cache``) ``/edgestill/NAME-<digest>``. Every file
    is checked against the artefact and replaced when it is missing or damaged. Files are replaced
    one by one and atomically, always by the same bytes, so processes need no lock.

    Args:
        name: of the set, such as ``av_digits``.

    Raises:
        DataError: the artefact is damaged, or the cache must be written and cannot be.
    """
    digest = _verified_digest(name)
    folder = cache_folder() / f"{name}-{digest[:16]}"
    with zipfile.ZipFile(artefact_of(name)) as archive:
        for member in archive.infolist():
            if not _intact(folder / member.filename, member):
                write_whole(folder / member.filename, archive.read(member))
    return folder


def artefact_of(name: str) -> Path:
    """Return where the committed zip of a bundled set lies."""
    return HOME / name / f"{name}.zip"


def cache_folder() -> Path:
    """Return edgestill's folder in the user's cache; it may not be there yet."""
    return _cache_home() / "edgestill"


def _verified_digest(name: str) -> str:
    artefact = artefact_of(name)
    checksum = artefact.with_suffix(".sha256")
    try:
        expected = checksum.read_text(encoding="ascii").split()[0]
        digest = hashlib.sha256(artefact.read_bytes()).hexdigest()
    except (OSError, UnicodeDecodeError, IndexError) as error:
        raise DataError(f"{artefact}: cannot be read; install edgestill anew: {error}") from error
    if digest != expected:
        raise DataError(
            f"{artefact}: SHA-256 is not that of {checksum.name}; install edgestill anew"
        )
    return digest


def _cache_home() -> Path:
    named = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification: a relative path is invalid and to be ignored.
    return Path(named) if Path(named).is_absolute() else Path.home() / ".cache"


def _intact(path: Path, member: zipfile.ZipInfo) -> bool:
    try:
        content = path.read_bytes()
    except OSError:
        return False  # absent or unreadable: write_whole will say why if it cannot be written
    return len(content) == member.file_size and zlib.crc32(content) == member.CRC


def write_whole(path: Path, content: bytes) -> None:
    """Write a file of the cache at once: readers see the old one or the new one.

    Raises:
        DataError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as stream:
            temporary = Path(stream.name)
            try:
                stream.write(content)
                stream.flush()
                temporary.replace(path)
            except OSError:
                temporary.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise DataError(
            f"{path}: missing or damaged, and cannot be written; "
            f"set XDG_CACHE_HOME to a folder that can be: {error}"
        ) from error
