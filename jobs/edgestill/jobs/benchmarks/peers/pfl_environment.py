"""Apple's pfl in a virtual environment of its own: its pins and ours do not go together."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from edgestill.errors import RunError

REQUIREMENTS = Path(__file__).with_name("pfl_requirements.txt")
INSTALL_WITHIN_S = 900.0


def python_of_pfl() -> Path:
    """Return the interpreter of the environment, which is made the first time and then kept.

    Raises:
        RunError: it cannot be made, such as without a network; the message has pip's last line.
    """
    folder = _folder()
    python, done = folder / "bin" / "python", folder / "requirements.txt"
    wanted = REQUIREMENTS.read_text(encoding="utf-8")
    if python.exists() and done.is_file() and done.read_text(encoding="utf-8") == wanted:
        return python
    _run([sys.executable, "-m", "venv", "--clear", str(folder)])
    _run([str(python), "-m", "pip", "install", "--quiet", "-r", str(REQUIREMENTS)])
    # Only a whole environment has it.
    shutil.copyfile(REQUIREMENTS, done)
    return python


def _folder() -> Path:
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    cache = named if named.is_absolute() else Path.home() / ".cache"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return cache / "edgestill" / f"bench-pfl-python{version}"


def _run(command: list[str]) -> None:
    try:
        subprocess.run(  # noqa: S603 - our own commands
            command, check=True, capture_output=True, text=True, timeout=INSTALL_WITHIN_S
        )
    except (OSError, subprocess.SubprocessError) as error:
        words = (getattr(error, "stderr", None) or str(error)).strip()
        raise RunError(f"pfl cannot be installed: {words.splitlines()[-1]}") from error
