"""The referee's end of the line: a side is a process that plays one round when it is told to."""

import json
import os
import queue
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgestill.errors import RunError
from edgestill.jobs.benchmarks.peers.app.digits8.turns import MARK, REFEREE
from edgestill.jobs.benchmarks.processes import end_with_family


class SideError(RunError):
    """A side ended before it should, or says nothing any more."""


class Side:
    """A process that takes turns, and all that it starts.

    Args:
        name: of the side; its log and its final arrays are named for it.
        command: what to start.
        folder: where the log and the arrays lie.
        environment: added to this process's own.
    """

    def __init__(
        self, name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str]
    ) -> None:
        self.name = name
        self._log = folder / f"{name}.log"
        self._heard: queue.Queue[dict[str, Any] | None] = queue.Queue()
        with self._log.open("wb") as log:
            # A session of its own: the terminal's Ctrl-C goes to the referee, who ends all sides.
            self._process = subprocess.Popen(  # noqa: S603 - our own programs
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **environment, REFEREE: name, "OMP_NUM_THREADS": "1"},
                start_new_session=True,
            )
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def pid(self) -> int:
        """The process id of the side's first process."""
        return self._process.pid

    def wait_until_ready(self, timeout_s: float) -> None:
        """Return when the side waits for its turn.

        Raises:
            SideError: it ended, or is not ready in time.
        """
        end_s = time.monotonic() + timeout_s
        while "waiting" not in self._hear(end_s - time.monotonic()):
            pass

    def begin(self) -> None:
        """Let the side, which waits, play a round."""
        self._say("go\n")

    def result(self, timeout_s: float) -> dict[str, Any]:
        """Return the figures of the round that was begun: ``seconds``, ``lost`` and the side's own.

        Raises:
            SideError: it ended, or the round is not over in time.
        """
        end_s = time.monotonic() + timeout_s
        while "seconds" not in (heard := self._hear(end_s - time.monotonic())):
            pass
        return heard

    def play(self, timeout_s: float) -> dict[str, Any]:
        """Wait until the side is ready, let it play a round, and return its figures."""
        self.wait_until_ready(timeout_s)
        self.begin()
        return self.result(timeout_s)

    def arrays(self, timeout_s: float) -> dict[str, NDArray[np.float32]]:
        """Return the final arrays, which the side leaves after its last round."""
        end_s = time.monotonic() + timeout_s
        while "arrays" not in (heard := self._hear(end_s - time.monotonic())):
            pass
        with np.load(heard["arrays"]) as held:
            return {name: held[name] for name in held.files}

    def close(self) -> None:
        """End the side and everything that it started."""
        end_with_family(self._process)

    def _say(self, words: str) -> None:
        if self._process.stdin is None:
            raise SideError(f"{self.name}: has no line")
        try:
            self._process.stdin.write(words.encode())
            self._process.stdin.flush()
        except OSError as error:
            raise SideError(f"{self.name}: {self.last_words()}") from error

    def _hear(self, timeout_s: float) -> dict[str, Any]:
        try:
            heard = self._heard.get(timeout=max(timeout_s, 0.0))
        except queue.Empty:
            raise SideError(f"{self.name}: said nothing in time; {self.last_words()}") from None
        if heard is None:
            self._heard.put(None)
            raise SideError(f"{self.name}: ended early; {self.last_words()}")
        return heard

    def _listen(self) -> None:
        if self._process.stdout is not None:
            for line in self._process.stdout:
                text = line.decode(errors="replace")
                if text.startswith(MARK):
                    self._heard.put(json.loads(text.removeprefix(MARK)))
        self._heard.put(None)

    def last_words(self) -> str:
        """Return the last line of the side's log that says something."""
        text = self._log.read_text(encoding="utf-8", errors="replace").strip()
        return text.splitlines()[-1].strip() if text else "its log is empty"
