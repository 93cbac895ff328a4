"""What a report says about where its figures were measured."""

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

_PACKAGES = (
    "edgestill",
    "ray",
    "flwr",
    "torch",
    "numpy",
    "scikit-learn",
    "constriction",
    "dp-accounting",
    "safetensors",
    "pydantic",
    "prometheus-client",
    "psutil",
    "plotly",
)
_CPUINFO = Path("/proc/cpuinfo")


def versions_and_hardware() -> dict[str, dict[str, Any]]:
    """Return the report's ``versions`` and ``hardware`` of this machine.

    ``versions`` maps package to version, Python included; packages that are not installed (a
    device has no Ray) are left out. ``hardware`` has ``cpu`` (model name), ``cores`` (logical),
    ``memory_bytes`` and ``platform``.
    """
    return {"versions": _versions(), "hardware": _hardware()}


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue  # not needed on this machine
    return found


def _hardware() -> dict[str, Any]:
    return {
        "cpu": _cpu(),
        "cores": psutil.cpu_count(logical=True),
        "memory_bytes": psutil.virtual_memory().total,
        "platform": platform.platform(),
    }


def _cpu() -> str:
    # Only Linux on x86 gives the model here; elsewhere Python knows at least the architecture.
    if _CPUINFO.is_file():
        for line in _CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name" and value.strip():
                return value.strip()
    return platform.processor() or platform.machine()
