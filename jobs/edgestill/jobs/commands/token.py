"""The token of the inference service: from the environment or a file, never from the command."""

import os
from pathlib import Path

from edgestill.errors import InputError

TOKEN_VARIABLE = "EDGESTILL_SERVING_TOKEN"  # noqa: S105 - the name, not the token
MOST_TOKEN_BYTES = 16 * 2**10


def serving_token(file: Path | None) -> str | None:
    """Return the token in ``file``, else the environment's; None without either.

    Raises:
        InputError: the file cannot be read, or what is given is no token; it is not shown.
    """
    if file is None:
        where, token = f"environment variable {TOKEN_VARIABLE}", os.environ.get(TOKEN_VARIABLE, "")
        if not token:
            return None
    else:
        where = f"--token-file {file}"
        token = _read(file, where)
    if not (token and token.isascii() and token.isprintable() and " " not in token):
        raise InputError(f"{where}: expected one token of printable ASCII characters")
    return token


def _read(file: Path, where: str) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(MOST_TOKEN_BYTES).decode("ascii", "replace").strip()
    except OSError as error:
        raise InputError(f"{where}: cannot be read ({error.strerror})") from error
