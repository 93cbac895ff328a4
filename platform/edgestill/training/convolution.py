"""Convolutions of many devices at once, each with its own weights, as batched matrix products.

Shape letters: L lanes (devices), B batch, C input channels, O output channels, G groups, H and W
input size, K = kernel height x kernel width x C, M = B x output height x output width.

A batched convolution with per-device weights is a grouped one, which no CPU library does fast. Here
it is im2col (Chellapilla, Puri & Simard, IWFHR 2006) and one matrix product per device. Activations
lie as positions x channels, weights as O x kernel x C (what torch calls channels last), and both
are shown to the caller in torch's own order by strides, so that nothing is transposed in memory.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

Pair = tuple[int, int]

FEW_CHANNELS = 3
"""Up to so many input channels, patches lie as K x M: rows of the image are longer than K."""

NARROW = 16
"""Columns below which a product is several times faster transposed (MKL 2024.2, AVX2 kernels)."""


def convolution(
    inputs: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: int | Sequence[int],
    padding: int | Sequence[int],
    dilation: int | Sequence[int],
    groups: int,
) -> Tensor:
    """Return the convolution of [B, C, W] or [B, C, H, W], as ``torch.conv1d`` and ``conv2d`` do.

    To be called under ``torch.func.vmap`` over devices, with batched inputs and weights.
    """
    if inputs.dim() == 3:
        pace, margin, step = _pair(stride, 1), _pair(padding, 0), _pair(dilation, 1)
        image, kernel = inputs.unsqueeze(2), weight.unsqueeze(2)
        return convolution(image, kernel, bias, pace, margin, step, groups).squeeze(2)
    geometry = (_pair(stride), _pair(padding), _pair(dilation), groups)
    out: Tensor = _PerDevice.apply(inputs, weight, bias, *geometry)  # type: ignore[no-untyped-call]
    return out


def _pair(value: int | Sequence[int], first: int | None = None) -> Pair:
    """Return a value for each axis; ``first`` stands for one that is not there."""
    given = (value,) if isinstance(value, int) else tuple(value)
    return (given[0] if first is None else first, given[-1])


class _PerDevice(torch.autograd.Function):
    """One device's convolution, whose batching rule is :class:`_Lanes`."""

    @staticmethod
    def forward(inputs: Tensor, weight: Tensor, bias: Tensor | None, *geometry: Any) -> Tensor:
        return functional.conv2d(inputs, weight, bias, *geometry)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        pass

    @staticmethod
    def vmap(
        info: Any,
        in_dims: tuple[int | None, ...],
        inputs: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        *geometry: Any,
    ) -> tuple[Tensor, int]:
        lanes, (*pairs, groups) = info.batch_size, geometry
        inputs, weight = (
            _lanes_first(one, dim, lanes)
            for one, dim in zip((inputs, weight), in_dims[:2], strict=True)
        )
        if bias is not None:
            bias = _lanes_first(bias, in_dims[2], lanes)
        if groups > 1:
            # Each group of channels is a lane of its own.
            inputs = _split(inputs, 2, groups).transpose(1, 2).flatten(0, 1)
            weight = _split(weight, 1, groups).flatten(0, 1)
            bias = None if bias is None else _split(bias, 1, groups).flatten(0, 1)
        out: Tensor = _Lanes.apply(inputs, weight, bias, *pairs)  # type: ignore[no-untyped-call]
        if groups > 1:
            out = _split(out, 0, lanes).transpose(1, 2).flatten(2, 3)
        return out, 0


def _lanes_first(tensor: Tensor, dim: int | None, lanes: int) -> Tensor:
    return tensor.expand(lanes, *tensor.shape) if dim is None else tensor.movedim(dim, 0)


def _split(tensor: Tensor, axis: int, parts: int) -> Tensor:
    return tensor.view(*tensor.shape[:axis], parts, -1, *tensor.shape[axis + 1 :])


class _Lanes(torch.autograd.Function):
    """Convolve [L, B, C, H, W] with [L, O, C, kernel height, kernel width] and add [L, O]."""

    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: Pair,
        padding: Pair,
        dilation: Pair,
    ) -> Tensor:
        L, O, C, *kernel = weight.shape  # noqa: N806, E741 - shape letters
        windows = _windows(_padded(inputs, padding), kernel, stride, dilation)
        patches, few = _patches(windows), C <= FEW_CHANNELS
        out = _product(patches.mT if few else patches, _matrix(weight))
        if bias is not None:
            out += bias.unsqueeze(1)
        ctx.save_for_backward(patches, weight)
        ctx.geometry = (inputs.shape, stride, padding, dilation)
        ctx.few, ctx.biased = few, bias is not None
        return out.view(L, *windows.shape[1:4], O).permute(0, 1, 4, 2, 3)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        patches, weight = ctx.saved_tensors
        rows = gradient.permute(0, 1, 3, 4, 2).flatten(1, 3)
        by_weight = torch.bmm(patches, rows).mT if ctx.few else torch.bmm(rows.mT, patches)
        by_bias = rows.sum(1) if ctx.biased else None
        by_inputs = _by_inputs(gradient, weight, *ctx.geometry) if ctx.needs_input_grad[0] else None
        return by_inputs, _unmatrix(by_weight, weight.shape), by_bias, None, None, None


def _product(rows: Tensor, matrix: Tensor) -> Tensor:
    """Return rows [L, M, K] times the transpose of a matrix [L, N, K]."""
    if matrix.shape[1] < NARROW:
        return torch.bmm(matrix, rows.mT).mT.contiguous()
    return torch.bmm(rows, matrix.mT)


def _patches(windows: Tensor) -> Tensor:
    """Lay windows out as [L, M, K], or with few channels as [L, K, M]."""
    if windows.shape[-1] <= FEW_CHANNELS:
        return windows.permute(0, 4, 5, 6, 1, 2, 3).flatten(4).flatten(1, 3)
    return windows.flatten(4).flatten(1, 3)


def _padded(inputs: Tensor, padding: Pair) -> Tensor:
    """Return [L, B, C, H, W] as [L, B, H, W, C] within a margin of zeros."""
    image = inputs.permute(0, 1, 3, 4, 2)
    up, left = padding
    if not (up or left):
        return image
    L, B, H, W, C = image.shape  # noqa: N806 - shape letters
    padded = image.new_zeros(L, B, H + 2 * up, W + 2 * left, C)
    padded[:, :, up : up + H, left : left + W] = image
    return padded


def _windows(image: Tensor, kernel: Sequence[int], stride: Pair, dilation: Pair) -> Tensor:
    """Return the patches [L, B, H', W', kernel height, kernel width, C] as a view."""
    L, B, H, W, C = image.shape  # noqa: N806 - shape letters
    H_out, W_out = (  # noqa: N806 - shape letters
        (size - step * (taps - 1) - 1) // pace + 1
        for size, taps, pace, step in zip((H, W), kernel, stride, dilation, strict=True)
    )
    l, b, h, w, c = image.stride()  # noqa: E741 - shape letters
    return image.as_strided(
        (L, B, H_out, W_out, *kernel, C),
        (l, b, h * stride[0], w * stride[1], h * dilation[0], w * dilation[1], c),
        image.storage_offset(),
    )


def _matrix(weight: Tensor) -> Tensor:
    """Return weights [L, O, C, ...] as [L, O, K]; a view when they lie channels last."""
    return weight.movedim(2, -1).flatten(2)


def _unmatrix(matrix: Tensor, shape: torch.Size) -> Tensor:
    L, O, C, height, width = shape  # noqa: N806, E741 - shape letters
    return matrix.reshape(L, O, height, width, C).permute(0, 1, 4, 2, 3)


def _by_inputs(
    gradient: Tensor,
    weight: Tensor,
    shape: torch.Size,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
) -> Tensor:
    """Return the gradient by the inputs [L, B, C, H, W]."""
    if stride != (1, 1):
        return _scattered(gradient, weight, shape, stride, padding, dilation)
    L, B, C, H, W = shape  # noqa: N806 - shape letters
    kernel = weight.shape[3:]
    # A convolution of stride 1 is undone by one with the mirrored kernel.
    high, wide = (
        step * (taps - 1) - side for taps, side, step in zip(kernel, padding, dilation, strict=True)
    )
    if min(high, wide) < 0:
        return _scattered(gradient, weight, shape, stride, padding, dilation)
    windows = _windows(_padded(gradient, (high, wide)), kernel, stride, dilation)
    mirrored = weight.flip(3, 4).permute(0, 2, 3, 4, 1).reshape(L, C, -1)
    patches = _patches(windows)
    rows = patches if weight.shape[1] > FEW_CHANNELS else patches.mT
    return _product(rows, mirrored).view(L, B, H, W, C).permute(0, 1, 4, 2, 3)


def _scattered(
    gradient: Tensor,
    weight: Tensor,
    shape: torch.Size,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
) -> Tensor:
    """Return the gradient by the inputs as a sum over the kernel's taps (col2im)."""
    L, B, C, H, W = shape  # noqa: N806 - shape letters
    up, left = padding
    image = gradient.new_zeros(L, B, H + 2 * up, W + 2 * left, C)
    windows = _windows(image, weight.shape[3:], stride, dilation)
    gradient_LMO = gradient.permute(0, 1, 3, 4, 2).flatten(1, 3)  # noqa: N806
    patches = torch.bmm(gradient_LMO, _matrix(weight)).view(windows.shape)
    # Taps less than a stride apart reach different positions and are added in one go.
    together = stride if dilation == (1, 1) else (1, 1)
    corners = (range(0, taps, step) for taps, step in zip(weight.shape[3:], together, strict=True))
    for row, column in itertools.product(*corners):
        taps = (
            ...,
            slice(row, row + together[0]),
            slice(column, column + together[1]),
            slice(None),
        )
        windows[taps] += patches[taps]
    return image[:, :, up : up + H, left : left + W].permute(0, 1, 4, 2, 3)
