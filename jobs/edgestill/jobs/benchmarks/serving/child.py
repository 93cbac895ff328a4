"""A process of our own that takes orders: one line of JSON in, one line of JSON out."""

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from edgestill.errors import RunError
from edgestill.jobs.benchmarks.processes import end_with_family

MARK = "edgestill.child "
"""Begins each line that is meant for the parent; libraries print what they like beside it."""

_LISTEN_S = 0.2


class ChildError(RunError):
    """A child ended before it should, or does not answer in time."""


class Child:
    """A module of Python that runs as a process, and all that it starts.

    Args:
        name: for messages; the child's log is named for it.
        module: whose main the process runs.
        arguments: of it.
        folder: where the log lies.
        environment: added to this process's own.
    """

    def __init__(
        self,
        name: str,
        module: str,
        *arguments: str,
        folder: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self._log = folder / f"{name}.log"
        self._heard: queue.Queue[dict[str, Any]] = queue.Queue()
        with self._log.open("wb") as log:
            # A session of its own: the terminal's Ctrl-C goes to the parent, who ends all children.
            self._process = subprocess.Popen(  # noqa: S603 - our own modules
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})},
                start_new_session=True,
            )
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    def tell(self, order: Mapping[str, Any]) -> None:
        """Give an order; :meth:`hear` gives its outcome.

        Raises:
            ChildError: the child has ended.
        """
        stream = self._process.stdin
        try:
            if stream is not None:
                stream.write(f"{json.dumps(order)}\n".encode())
                stream.flush()
        except OSError as error:
            raise ChildError(f"{self.name}: {self._last_words()}") from error

    def hear(self, timeout_s: float) -> dict[str, Any]:
        """Return the next thing that the child says.

        Raises:
            ChildError: it ended, or says nothing in time.
        """
        until_s = time.monotonic() + timeout_s
        while time.monotonic() < until_s:
            ended = self._process.poll() is not None
            with suppress(queue.Empty):
                return self._heard.get(timeout=_LISTEN_S)
            # What it started may hold the line open.
            if ended:
                raise ChildError(f"{self.name}: ended early: {self._last_words()}")
        raise ChildError(f"{self.name}: silent for {timeout_s:g} s")

    def ask(self, order: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
        """Give an order and return its outcome.

        Raises:
            ChildError: the child ended, or says nothing in time.
        """
        self.tell(order)
        return self.hear(timeout_s)

    def close(self) -> None:
        """End the process, politely first, and everything that it started."""
        end_with_family(self._process)

    def _listen(self) -> None:
        if self._process.stdout is not None:
            for line in self._process.stdout:
                text = line.decode(errors="replace")
                if text.startswith(MARK):
                    self._heard.put(json.loads(text.removeprefix(MARK)))

    def _last_words(self) -> str:
        text = self._log.read_text(encoding="utf-8", errors="replace").strip()
        return text.splitlines()[-1].strip() if text else "its log is empty"


def say(found: Mapping[str, Any]) -> None:
    """Say something to the parent, from within a child."""
    sys.stdout.write(f"{MARK}{json.dumps(found)}\n")
    sys.stdout.flush()
