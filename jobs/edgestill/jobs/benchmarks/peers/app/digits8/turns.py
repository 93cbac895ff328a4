"""One side's end of the line to the referee: it waits for its turn, and says how a round went.

Every message is one line of JSON behind ``MARK`` on standard output; the referee answers a
``waiting`` with one line on standard input. Without a referee nothing is waited for.
"""

import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MARK = "#side "
REFEREE = "DIGITS8_REFEREE"
"""The environment variable that says that a referee listens."""

ENDED_EARLY = 70
"""Exit code of a side whose referee is gone."""


class Turns:
    """The line to the referee."""

    def __init__(self) -> None:
        self._began_s = time.perf_counter()

    def wait(self) -> None:
        """Wait for the turn; a round begins when this returns. Ends the process with the line."""
        if REFEREE in os.environ:
            say({"waiting": True})
            if not sys.stdin.readline():
                os._exit(ENDED_EARLY)
        self._began_s = time.perf_counter()

    def played(self, **figures: Any) -> None:
        """Say that the round is over, with its figures."""
        say({"seconds": time.perf_counter() - self._began_s, **figures})


def say(message: dict[str, Any]) -> None:
    """Tell the referee; silent without one."""
    if REFEREE in os.environ:
        sys.stdout.write(f"\n{MARK}{json.dumps(message)}\n")
        sys.stdout.flush()


def end_on_failure(main: Callable[[], object]) -> None:
    """Run a program; end the process where it fails, for the engine's threads would wait on."""
    try:
        main()
    except Exception:
        traceback.print_exc()
        os._exit(1)


def leave(folder: Path, arrays: dict[str, NDArray[np.float32]]) -> None:
    """Leave the final arrays for the referee."""
    path = folder / f"{os.environ.get(REFEREE, 'final')}.npz"
    np.savez(path, **arrays)
    say({"arrays": str(path)})
