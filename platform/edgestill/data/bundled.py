"""The bundled artefact, unpacked once into a cache folder that any number of processes share."""

import hashlib
import os
import tempfile
import zipfile
import zlib
from pathlib import Path

from edgestill.errors import DataError

_HOME = Path(__file__).parent / "av_digits"
ARTEFACT = _HOME / "av_digits.zip"
CHECKSUM = _HOME / "av_digits.sha256"


def unpacked_av_digits() -> Path:
    """Return the manifest folder of ``av_digits``, unpacked and intact.

    It lies in ``$XDG_CACHE_HOME`` (or ``~/.cache``) ``/edgestill/av_digits-<digest>``. Every file
    is checked against the artefact and replaced when it is missing or damaged. Files are replaced
    one by one and atomically, always by the same bytes, so processes need no lock.

    Raises:
        DataError: the artefact is damaged, or the cache must be written and cannot be.
    """
    digest = _verified_digest()
    folder = _cache_home() / "edgestill" / f"av_digits-{digest[:16]}"
    with zipfile.ZipFile(ARTEFACT) as archive:
        for member in archive.infolist():
            if not _intact(folder / member.filename, member):
                _replace(folder / member.filename, archive.read(member))
    return folder


def _verified_digest() -> str:
    try:
        expected = CHECKSUM.read_text(encoding="ascii").split()[0]
        digest = hashlib.sha256(ARTEFACT.read_bytes()).hexdigest()
    except (OSError, UnicodeDecodeError, IndexError) as error:
        raise DataError(f"{ARTEFACT}: cannot be read; install edgestill anew: {error}") from error
    if digest != expected:
        raise DataError(
            f"{ARTEFACT}: SHA-256 is not that of {CHECKSUM.name}; install edgestill anew"
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
        return False  # absent or unreadable: _replace will say why if it cannot be written
    return len(content) == member.file_size and zlib.crc32(content) == member.CRC


def _replace(path: Path, content: bytes) -> None:
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
