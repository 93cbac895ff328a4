"""Elementwise functions whose last bits do not depend on where an element lies in memory.

A vectorised loop computes a tensor's last few elements one by one, by another formula for exp, log
and their kin. Which device's numbers come last is chance. So these functions are computed over a
whole number of vectors for each device.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

BLOCK = 64
"""Elements; a multiple of what torch computes in one turn with the widest vectors."""


def steadily(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return an elementwise function of one tensor that works on whole blocks."""

    def steady(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:  # noqa: A002
        count = input.numel()
        if count % BLOCK == 0:
            return function(input, *args, **kwargs)
        filled = functional.pad(input.flatten(), (0, -count % BLOCK), value=1.0)
        return function(filled, *args, **kwargs)[:count].view(input.shape)

    return steady


TRANSCENDENTAL = (
    *(torch.exp, torch.expm1, torch.log, torch.log1p, torch.log2, torch.log10),
    *(torch.sigmoid, torch.tanh, torch.sin, torch.cos, torch.tan, torch.erf, torch.atan),
    *(Tensor.exp, Tensor.expm1, Tensor.log, Tensor.log1p, Tensor.log2, Tensor.log10),
    *(Tensor.sigmoid, Tensor.tanh, Tensor.sin, Tensor.cos, Tensor.erf),
    *(torch.pow, Tensor.pow, Tensor.__pow__, torch.rsqrt, Tensor.rsqrt),
    *(functional.sigmoid, functional.tanh, functional.gelu, functional.silu, functional.mish),
    *(functional.softplus, functional.elu, functional.selu, functional.celu, functional.logsigmoid),
)
"""What is computed by other formulas in vectors than one by one."""
