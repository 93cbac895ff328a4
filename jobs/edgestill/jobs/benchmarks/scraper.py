"""A scraper as a process of its own, started as a module with a URL and an interval in seconds.

It reads lines from standard input: ``go`` begins to scrape, ``stop`` pauses. At the end of its
input it prints one JSON line: the latencies in milliseconds, and the lines of the last answer.
"""

import json
import subprocess
import sys
import threading
import time
import urllib.request
from dataclasses import dataclass
from typing import Any

ACCEPT = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
"""What a Prometheus server asks for."""

TIMEOUT_S = 10.0


def start_scraper(port: int, *, interval_s: float) -> "Scraper":
    """Start a scraper of this machine's ``port``; it waits for :meth:`Scraper.go`."""
    command = [
        sys.executable,
        "-m",
        "edgestill.jobs.benchmarks.scraper",
        f"http://127.0.0.1:{port}/metrics",
        str(interval_s),
    ]
    process = subprocess.Popen(  # noqa: S603 - our own module
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    return Scraper(process=process)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scraper:
    """The line to a scraper's process."""

    process: "subprocess.Popen[str]"

    def go(self) -> None:
        """Begin to scrape."""
        self._say("go")

    def stop(self) -> None:
        """Pause."""
        self._say("stop")

    def finish(self) -> dict[str, Any]:
        """End the process and return what it saw."""
        found, _ = self.process.communicate()
        return dict(json.loads(found))

    def _say(self, word: str) -> None:
        if self.process.stdin is not None:
            self.process.stdin.write(f"{word}\n")
            self.process.stdin.flush()


def _scrape(url: str) -> tuple[float, int]:
    request = urllib.request.Request(url, headers={"Accept": ACCEPT})  # noqa: S310 - our own URL
    began = time.perf_counter()
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as reply:  # noqa: S310 - as above
        text: bytes = reply.read()
    return (time.perf_counter() - began) * 1e3, text.count(b"\n")


def _main(url: str, interval_s: float) -> None:
    going, over = threading.Event(), threading.Event()
    latencies_ms: list[float] = []
    lines = [0]

    def scrape() -> None:
        while not over.is_set():
            if going.wait(timeout=0.1):
                latency_ms, lines[0] = _scrape(url)
                latencies_ms.append(latency_ms)
                over.wait(interval_s)

    thread = threading.Thread(target=scrape)
    thread.start()
    for word in sys.stdin:
        (going.set if word.strip() == "go" else going.clear)()
    over.set()
    thread.join()
    sys.stdout.write(json.dumps({"latencies_ms": latencies_ms, "lines": lines[0]}) + "\n")


if __name__ == "__main__":
    _main(sys.argv[1], float(sys.argv[2]))
