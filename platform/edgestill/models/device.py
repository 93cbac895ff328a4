"""Where this process trains: on its CPU, or on a CUDA device.

Whoever starts the process says so (an actor from ``engine.device``, a person by the environment);
whoever trains asks :func:`training_device` and hands it on.
"""

import os

import torch

VARIABLE = "EDGESTILL_DEVICE"
"""Environment variable: ``cpu`` (the default) or ``cuda``."""


def training_device() -> torch.device:
    """Return the torch device that models of this process are trained on."""
    return torch.device(os.environ.get(VARIABLE, "cpu"))


def use_device(name: str) -> None:
    """Let this process, and those that it starts, train on ``cpu`` or ``cuda``.

    ``cuda`` becomes ``cpu`` where torch sees no CUDA device, such as a CPU build of torch.
    """
    os.environ[VARIABLE] = name if name == "cpu" or torch.cuda.is_available() else "cpu"
