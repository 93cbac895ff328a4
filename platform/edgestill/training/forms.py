"""Layers in the forms that lanes compute fast, and to the same bits in any company."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from edgestill.training.convolution import convolution
from edgestill.training.elementwise import TRANSCENDENTAL, steadily
from edgestill.training.interception import Table

WHOLE = 4
"""Float32 in 16 bytes: where a gradient's matrix is no multiple, the next one's bits change."""


def _convolution(
    input: Tensor,  # noqa: A002
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | str = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    kernel = weight.shape[2:]
    if padding == "valid":
        padding = 0
    if isinstance(padding, str):
        spans = [
            step * (taps - 1) for step, taps in zip(_each(dilation, kernel), kernel, strict=True)
        ]
        sides = [side for span in reversed(spans) for side in (span // 2, span - span // 2)]
        input, padding = functional.pad(input, sides), 0  # noqa: A001
    out_channels, count = len(weight), weight.numel() // groups
    if count % WHOLE and groups == 1:
        weight, bias = _filled(weight), None if bias is None else _filled(bias)
    return convolution(input, weight, bias, stride, padding, dilation, groups)[:, :out_channels]


def _filled(weight: Tensor) -> Tensor:
    """Fill up the first axis with zeros to a multiple of ``WHOLE``."""
    return functional.pad(weight, (*(0, 0) * (weight.dim() - 1), 0, -len(weight) % WHOLE))


def _each(value: int | Sequence[int], axes: Sequence[int]) -> Sequence[int]:
    return [value] * len(axes) if isinstance(value, int) else value


def _linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:  # noqa: A002
    whole = _filled(weight) if weight.numel() % WHOLE else weight
    flat = (input.reshape(-1, input.shape[-1]) @ whole.t())[:, : len(weight)]
    out = flat.reshape(*input.shape[:-1], weight.shape[0])
    return out if bias is None else out + bias


def _group_norm(
    input: Tensor,  # noqa: A002
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise over one group as it lies in memory: rows of positions x channels."""
    if num_groups != 1 or weight is None or bias is None:
        return functional.group_norm(input, num_groups, weight, bias, eps)
    moved = input.movedim(1, -1)
    rows = moved.flatten(1)
    normal = functional.layer_norm(rows, rows.shape[1:], eps=eps).view(moved.shape)
    return (normal * weight + bias).movedim(-1, 1)


def _adaptive_average(input: Tensor, output_size: int | Sequence[int | None]) -> Tensor:  # noqa: A002
    """Average over the cells of a grid as one product with a constant matrix."""
    extent = input.shape[2:]
    wanted = [output_size] * len(extent) if isinstance(output_size, int) else output_size
    grid = [size if cells is None else cells for cells, size in zip(wanted, extent, strict=True)]
    weights = torch.ones(1, 1, device=input.device)
    for cells, size in zip(grid, extent, strict=True):
        weights = torch.kron(weights, _cell_weights(cells, size, input.device))
    averaged: Tensor = weights @ input.movedim(1, -1).flatten(1, -2)
    return averaged.view(len(averaged), *grid, -1).movedim(-1, 1)


def _cell_weights(cells: int, size: int, device: torch.device) -> Tensor:
    """Return [cells, size]: torch's cell i averages floor(i s / c) to ceil((i + 1) s / c) - 1."""
    first = torch.arange(cells, device=device).unsqueeze(1)
    place = torch.arange(size, device=device)
    inside = (place >= first * size // cells) & (place < -(-(first + 1) * size // cells))
    weights: Tensor = inside.float() / inside.sum(dim=1, keepdim=True)
    return weights


def _last_axis(function: Any) -> Any:
    def along(input: Tensor, dim: int | None = None, *args: Any, **kwargs: Any) -> Tensor:  # noqa: A002
        if dim is None or dim in (-1, input.dim() - 1):
            last: Tensor = function(input, dim, *args, **kwargs)
            return last
        moved: Tensor = function(input.movedim(dim, -1).contiguous(), -1, *args, **kwargs)
        return moved.movedim(-1, dim)

    return along


_SOFTMAXES = (functional.softmax, functional.log_softmax, torch.softmax, torch.log_softmax)

FORMS: Table = {
    torch.conv1d: _convolution,
    torch.conv2d: _convolution,
    functional.linear: _linear,
    functional.group_norm: _group_norm,
    functional.adaptive_avg_pool1d: _adaptive_average,
    functional.adaptive_avg_pool2d: _adaptive_average,
    torch.adaptive_avg_pool1d: _adaptive_average,
    **{function: steadily(function) for function in TRANSCENDENTAL},
    **{
        function: _last_axis(function)
        for function in (
            functional.softmax,
            functional.log_softmax,
            torch.softmax,
            torch.log_softmax,
        )
    },
}
"""torch's functions to ours, for use under ``torch.func.vmap`` over devices."""
