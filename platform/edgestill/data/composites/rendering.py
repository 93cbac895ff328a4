"""A file of the cache that is computed and not committed; only its SHA-256 is."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from edgestill.data.bundled import write_whole
from edgestill.errors import DataError


def rendered(path: Path, make: Callable[[], bytes]) -> Path:
    """Return ``path`` with the content that ``make`` gives, made only where it is not there yet.

    The SHA-256 is that of the file beside it with the ending ``.sha256``. A damaged file is made
    anew. Files are replaced atomically and always by the same bytes, so processes need no lock.

    Raises:
        DataError: what was made is not what it should be, or the cache cannot be written.
    """
    expected = path.with_suffix(".sha256").read_text(encoding="ascii").split()[0]
    try:
        if hashlib.sha256(path.read_bytes()).hexdigest() == expected:
            return path
    except OSError:
        pass  # absent or unreadable: write_whole will say why if it cannot be written
    content = make()
    if hashlib.sha256(content).hexdigest() != expected:
        raise DataError(
            f"{path}: rendered otherwise here than where it was built (SHA-256); "
            "install edgestill anew, or report it with the versions of numpy and pillow"
        )
    write_whole(path, content)
    return path
