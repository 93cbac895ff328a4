"""What a model costs: parameters, floating-point operations, bytes of memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

FLOAT_BYTES = 4
TRAINING_COPIES = 3
"""Parameters, gradients and momentum are held at once."""

BACKWARD_FACTOR = 3
"""A training step does the forward pass once and about two of its size backwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Cost of one model on one sample.

    Attributes:
        parameters: number of trained numbers.
        forward_flops: floating-point operations of one forward pass on one sample (a
            multiply-add counts two), by torch's counter.
        activation_bytes: outputs of all layers on one sample, as float32.
    """

    parameters: int
    forward_flops: int
    activation_bytes: int

    def training_flops(self, samples: int) -> int:
        """Return the operations of training on ``samples`` samples once."""
        return BACKWARD_FACTOR * self.forward_flops * samples

    def training_memory_bytes(self, batch_size: int) -> int:
        """Return the peak of parameters, gradients, momentum and activations."""
        held = TRAINING_COPIES * FLOAT_BYTES * self.parameters
        return held + batch_size * self.activation_bytes

    def inference_memory_bytes(self) -> int:
        """Return parameters and the activations of one sample."""
        return FLOAT_BYTES * self.parameters + self.activation_bytes


def measure_cost(model: nn.Module, inputs: Mapping[str, Tensor]) -> Cost:
    """Measure a model on one sample, inputs by kind [1, *shape], in evaluation mode.

    Batch normalisation cannot train on one sample, and must not learn from this one.
    """
    activations, mode = 0, model.training

    def count(_module: nn.Module, _inputs: Any, output: Any) -> None:
        nonlocal activations
        if isinstance(output, Tensor):
            activations += output.numel() * FLOAT_BYTES

    leaves = [module for module in model.modules() if not list(module.children())]
    hooks = [module.register_forward_hook(count) for module in leaves]
    model.eval()
    try:
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            model(inputs)
    finally:
        for hook in hooks:
            hook.remove()
        model.train(mode)
    return Cost(
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        forward_flops=int(counter.get_total_flops()),
        activation_bytes=activations,
    )
