"""How much memory this machine, or the container that this process runs in, has left."""

from pathlib import Path

import psutil

# Version 2 of control groups, then version 1: the limit, what is used, and what of that is cache.
_GROUPS = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "total_inactive_file"),
)


def free_memory_bytes(control_groups: Path = Path("/sys/fs/cgroup")) -> int:
    """Return what processes can still take: of the machine, or of a tighter limit of a container.

    Args:
        control_groups: where Linux shows the limits of this process's control group.
    """
    machine = int(psutil.virtual_memory().available)
    limits = (_left_of_group(control_groups, *names) for names in _GROUPS)
    return max(0, min([machine, *(left for left in limits if left is not None)]))


def _left_of_group(folder: Path, limit: str, used: str, cache: str) -> int | None:
    limit_bytes, used_bytes = _number(folder / limit), _number(folder / used)
    if limit_bytes is None or used_bytes is None:
        return None
    return limit_bytes - used_bytes + _cached((folder / used).with_name("memory.stat"), cache)


def _number(path: Path) -> int | None:
    """Return what a file says; None where there is none, or no number in it, such as ``max``."""
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _cached(path: Path, name: str) -> int:
    """Return the bytes of files that the kernel gives back when they are needed."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name} ")), 0)
