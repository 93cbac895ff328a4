"""The reference's optimisers, and their state as named arrays that a device can keep.

The state of SGD is ``momentum/NAME``, of Adam ``mean/NAME`` and ``variance/NAME``, each in the
shape of the parameter; ``steps`` counts those taken. A parameter that is absent, or was trained at
another width, starts at zero.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgestill.config import TrainingConfig
from edgestill.models import Arrays
from edgestill.training.optimizers import MOMENTS
from edgestill.training.stacking import Stacking
from edgestill.training.work import LocalWork

STEPS = "steps"
TORCH_NAMES = {"momentum": "momentum_buffer", "mean": "exp_avg", "variance": "exp_avg_sq"}


def build_optimizer(
    parameters: Mapping[str, nn.Parameter], work: LocalWork, training: TrainingConfig
) -> torch.optim.Optimizer:
    """Return torch's optimiser over these parameters, with the state that the work brings."""
    held = list(parameters.values())
    optimizer: torch.optim.Optimizer = (
        torch.optim.Adam(held, lr=training.learning_rate)
        if training.optimizer == "adam"
        else torch.optim.SGD(held, lr=training.learning_rate, momentum=training.momentum)
    )
    taken = steps_taken(work.optimizer)
    for name, parameter in parameters.items() if taken else ():
        optimizer.state[parameter] = {
            TORCH_NAMES[moment]: torch.from_numpy(
                moment_of(work.optimizer, moment, name, tuple(parameter.shape)).copy()
            )
            for moment in MOMENTS[training.optimizer]
        }
        optimizer.state[parameter]["step"] = torch.tensor(float(taken))
    return optimizer


def kept_state(
    optimizer: torch.optim.Optimizer,
    parameters: Mapping[str, nn.Parameter],
    training: TrainingConfig,
    taken: int,
) -> Arrays:
    """Return the state as named arrays; empty unless ``training.keep_optimizer``."""
    if not training.keep_optimizer:
        return {}
    moments = {
        f"{moment}/{name}": _held(optimizer.state[parameter], moment, parameter)
        for moment in MOMENTS[training.optimizer]
        for name, parameter in parameters.items()
    }
    return {**moments, STEPS: np.array(taken, np.float32)}


def _held(state: Mapping[str, Tensor | None], moment: str, like: Tensor) -> NDArray[np.float32]:
    tensor = state.get(TORCH_NAMES[moment])
    # SGD without momentum keeps nothing; its velocity is the last gradient, which nobody needs.
    return (torch.zeros_like(like) if tensor is None else tensor).detach().numpy().copy()


def stacked_moments(
    stacking: Stacking, works: Sequence[LocalWork], training: TrainingConfig, device: torch.device
) -> dict[str, Tensor]:
    """Return each moment [L, N] that devices bring from earlier rounds."""
    return {
        moment: stacking.stack([_moments(one.optimizer, moment) for one in works], device)
        for moment in MOMENTS[training.optimizer]
    }


def _moments(state: Arrays, moment: str) -> Arrays:
    prefix = f"{moment}/"
    return {
        key.removeprefix(prefix): array for key, array in state.items() if key.startswith(prefix)
    }


def steps_taken(state: Arrays) -> int:
    """Return the steps of earlier rounds."""
    return int(state[STEPS]) if STEPS in state else 0


def moment_of(state: Arrays, moment: str, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return one parameter's moment, or zeros where there is none of this shape."""
    array = state.get(f"{moment}/{name}")
    return np.zeros(shape, np.float32) if array is None or array.shape != shape else array
