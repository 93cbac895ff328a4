"""Adaptive average pooling of inputs of one size, as products with fixed matrices.

An exporter that knows no adaptive pooling writes dozens of gathers for it; two products do.
"""

import copy
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

_ADAPTIVE = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d)


class FixedPool(nn.Module):
    """Adaptive average pooling over the last axes of inputs of known size."""

    def __init__(self, sizes: tuple[int, ...], cells: tuple[int, ...]) -> None:
        super().__init__()
        shares = [_shares(size, count) for size, count in zip(sizes, cells, strict=True)]
        self.register_buffer("columns", shares[-1])
        self.register_buffer("rows", shares[0].T if len(shares) == 2 else None)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return [..., cells] of inputs [..., sizes]."""
        pooled = inputs @ self.get_buffer("columns")
        return pooled if self.rows is None else self.get_buffer("rows") @ pooled


def with_fixed_pools(module: nn.Module, inputs: Mapping[str, Tensor]) -> nn.Module:
    """Return a copy whose adaptive average pools are fixed to the sizes that they see.

    A pool that sees inputs of several sizes stays as it is.
    """
    copied = copy.deepcopy(module).eval()
    seen: dict[str, set[tuple[int, ...]]] = {}

    def note(name: str) -> Callable[..., None]:
        return lambda _pool, given: seen.setdefault(name, set()).add(tuple(given[0].shape))

    pools = [(name, part) for name, part in copied.named_modules() if isinstance(part, _ADAPTIVE)]
    hooks = [pool.register_forward_pre_hook(note(name)) for name, pool in pools]
    try:
        with torch.inference_mode():
            copied(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    for name, pool in pools:
        if len(shapes := seen.get(name, set())) == 1:
            sizes = next(iter(shapes))[-(2 if isinstance(pool, nn.AdaptiveAvgPool2d) else 1) :]
            copied.set_submodule(name, FixedPool(sizes, _cells(pool, sizes)))
    return copied


def _cells(pool: nn.Module, sizes: tuple[int, ...]) -> tuple[int, ...]:
    given = pool.output_size
    asked = given if isinstance(given, tuple) else (given,) * len(sizes)
    return tuple(size if count is None else count for count, size in zip(asked, sizes, strict=True))


def _shares(size: int, cells: int) -> Tensor:
    """Return [size, cells]: what each input cell gives to each pooled cell."""
    return functional.adaptive_avg_pool1d(torch.eye(size).unsqueeze(0), cells).squeeze(0)
