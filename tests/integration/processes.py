"""Waiting for processes, and finding those of actors."""

import time
from collections.abc import Callable
from typing import Any

import psutil


def wait_until(holds: Callable[[], Any], *, within_s: float, what: str) -> Any:
    """Return what ``holds`` returns once it is true."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if found := holds():
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {within_s:g} s")


def actor_processes(title: str, root: psutil.Process | None = None) -> list[psutil.Process]:
    """Return the live processes below this one whose title begins so, such as ray::Cohort.run."""
    found = []
    for process in (root or psutil.Process()).children(recursive=True):
        try:
            if " ".join(process.cmdline()).startswith(title):
                found.append(process)
        except psutil.Error:
            continue
    return found
