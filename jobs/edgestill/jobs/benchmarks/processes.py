"""Processes that a benchmark starts: what they started in turn, and their end."""

import subprocess

import psutil

END_WITHIN_S = 10.0
"""How long a process may take to end once its line is closed."""


def descendants(pid: int) -> list[psutil.Process]:
    """Return the processes that a process has started, and these in turn; empty if it is gone."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def end_with_family(process: "subprocess.Popen[bytes]") -> None:
    """End a process, politely first, and everything that it started."""
    family = descendants(process.pid)
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(timeout=END_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.terminate()
    _, alive = psutil.wait_procs(family, timeout=END_WITHIN_S / 2)
    for one in alive:
        if one.is_running():
            one.kill()
    process.kill()
    process.wait()
    psutil.wait_procs(alive, timeout=END_WITHIN_S / 2)
