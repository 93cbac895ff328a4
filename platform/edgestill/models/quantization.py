"""Weights and activations at few bits, so that accuracy under quantisation is real.

The numbers take the values that integer arithmetic would give; the arithmetic itself stays
floating-point (Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", CVPR 2018, section 3, "simulated quantization").
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from edgestill.models.cost import FLOAT_BYTES

ACTIVATION_BITS = 8
LAYERS = (nn.Conv1d, nn.Conv2d, nn.Linear)
SCALE_BYTES = FLOAT_BYTES


class FakeQuantized(nn.Module):
    """Rounds a weight [out, ...] to symmetric integers with one scale for each output channel."""

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.bits = bits

    def forward(self, weight: Tensor) -> Tensor:
        """Return the rounded weight; its gradient passes as if it were not rounded."""
        largest = weight.detach().flatten(start_dim=1).abs().amax(dim=1)
        scale = largest.clamp(min=1e-12) / (2 ** (self.bits - 1) - 1)
        return _rounded(weight, scale.view(-1, *(1,) * (weight.dim() - 1)))


def quantize_module(module: nn.Module, weight_bits: int) -> None:
    """Let every convolution and linear layer compute as if quantised, in place.

    Weights at ``weight_bits`` by output channel; what enters the layer at 8 bits by sample, scaled
    by the sample's largest value (dynamic quantisation), so that no sample depends on its batch.
    Training goes on through the rounding (straight-through estimator: Bengio et al., 2013).

    Raises:
        ValueError: bits outside 2..8, or a module that is quantised already.
    """
    if not 2 <= weight_bits <= 8:
        raise ValueError(f"weight_bits is {weight_bits}; expected 2 to 8")
    for layer in _layers(module):
        if parametrize.is_parametrized(layer):
            raise ValueError("the module is quantised already")
        parametrize.register_parametrization(layer, "weight", FakeQuantized(weight_bits))
        layer.register_forward_pre_hook(_round_inputs)


def bake_weights(module: nn.Module) -> None:
    """Replace the weights by their rounded values, in place: what would be shipped."""
    for layer in _layers(module):
        if parametrize.is_parametrized(layer):
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)


def exact_activations(module: nn.Module) -> None:
    """Round no activations any more, in place: what a float runtime does with baked weights."""
    for layer in _layers(module):
        for key, hook in list(layer._forward_pre_hooks.items()):
            if hook is _round_inputs:
                del layer._forward_pre_hooks[key]


def weight_bytes(module: nn.Module, weight_bits: int) -> int:
    """Return the bytes of all parameters, quantised weights with their scales, the rest float32."""
    quantised = {id(layer.weight): layer for layer in _layers(module)}
    total = 0
    for parameter in module.parameters():
        if id(parameter) in quantised and weight_bits < 8 * FLOAT_BYTES:
            total += -(-parameter.numel() * weight_bits // 8) + SCALE_BYTES * len(parameter)
        else:
            total += FLOAT_BYTES * parameter.numel()
    return total


def _layers(module: nn.Module) -> Iterator[nn.Module]:
    return (layer for layer in module.modules() if isinstance(layer, LAYERS))


def _round_inputs(_layer: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    values: Tensor = inputs[0]
    largest = values.detach().flatten(start_dim=1).abs().amax(dim=1).clamp(min=1e-12)
    scale = largest / (2 ** (ACTIVATION_BITS - 1) - 1)
    return (_rounded(values, scale.view(-1, *(1,) * (values.dim() - 1))), *inputs[1:])


def _rounded(values: Tensor, scale: Tensor) -> Tensor:
    rounded = torch.round(values / scale) * scale
    return values + (rounded - values).detach()
