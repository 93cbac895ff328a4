"""SGD with momentum and Adam over stacked parameters, each device with its own count of steps.

Shape letters: L lanes (devices), N numbers of one device's parameters. The formulas are those of
``torch.optim.SGD`` and ``torch.optim.Adam``, whose defaults they take.
"""

from typing import Protocol

import torch
from torch import Tensor

from edgestill.config import TrainingConfig

FIRST_DECAY, SECOND_DECAY, EPSILON = 0.9, 0.999, 1e-8
"""Adam's betas and epsilon (Kingma & Ba, ICLR 2015, algorithm 1)."""

MOMENTS = {"sgd": ("momentum",), "adam": ("mean", "variance")}
"""Optimiser to the names of what it keeps for each parameter."""


class StackedOptimizer(Protocol):
    """Updates [L, N] parameters in place; its state is [L, N] per moment."""

    def step(self, parameters_LN: Tensor, gradients_LN: Tensor, taken_L: Tensor) -> None:  # noqa: N803
        """Move the first L lanes one step; ``taken_L`` counts the steps before this one."""


class StackedSgd:
    """v <- momentum v + g; w <- w - rate v."""

    def __init__(self, training: TrainingConfig, moments: dict[str, Tensor]) -> None:
        self._rate, self._momentum = training.learning_rate, training.momentum
        self._velocity_LN = moments["momentum"]

    def step(self, parameters_LN: Tensor, gradients_LN: Tensor, taken_L: Tensor) -> None:  # noqa: N803
        """Move the first L lanes one step."""
        velocity_LN = gradients_LN  # noqa: N806
        if self._momentum:
            velocity_LN = self._velocity_LN[: len(parameters_LN)]  # noqa: N806
            velocity_LN.mul_(self._momentum).add_(gradients_LN)
        parameters_LN.add_(velocity_LN, alpha=-self._rate)


class StackedAdam:
    """Kingma & Ba, ICLR 2015, algorithm 1."""

    def __init__(self, training: TrainingConfig, moments: dict[str, Tensor]) -> None:
        self._rate = training.learning_rate
        self._mean_LN, self._variance_LN = moments["mean"], moments["variance"]

    def step(self, parameters_LN: Tensor, gradients_LN: Tensor, taken_L: Tensor) -> None:  # noqa: N803
        """Move the first L lanes one step."""
        lanes = len(parameters_LN)
        mean_LN, variance_LN = self._mean_LN[:lanes], self._variance_LN[:lanes]  # noqa: N806
        mean_LN.lerp_(gradients_LN, 1 - FIRST_DECAY)
        variance_LN.mul_(SECOND_DECAY).addcmul_(gradients_LN, gradients_LN, value=1 - SECOND_DECAY)
        # Powers in float64, as torch.optim takes them.
        count_L = (taken_L + 1).to(torch.float64)  # noqa: N806
        first_L, second_L = (1 - decay**count_L for decay in (FIRST_DECAY, SECOND_DECAY))  # noqa: N806
        root_L = second_L.sqrt().float().unsqueeze(1)  # noqa: N806
        rate_L = (self._rate / first_L).float().unsqueeze(1)  # noqa: N806
        parameters_LN.sub_(rate_L * (mean_LN / (variance_LN.sqrt() / root_L + EPSILON)))


def stacked_optimizer(training: TrainingConfig, moments: dict[str, Tensor]) -> StackedOptimizer:
    """Build the optimiser that ``training.optimizer`` names, over its moments [L, N]."""
    adam = training.optimizer == "adam"
    return StackedAdam(training, moments) if adam else StackedSgd(training, moments)
