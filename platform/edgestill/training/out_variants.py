"""torch's operations in the form that writes to memory given beforehand."""

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten

OVERWRITING = frozenset(
    {
        *(aten.relu.default, aten.threshold_backward.default, aten.neg.default, aten.sqrt.default),
        *(aten.add.Tensor, aten.sub.Tensor, aten.mul.Tensor, aten.div.Tensor, aten.addcmul.default),
        *(aten.clamp_min.default, aten.clamp.default, aten.reciprocal.default),
    }
)
"""Elementwise operations whose result may take the place of an operand."""

ALREADY_THERE = frozenset({aten.new_zeros.default, aten.zeros.default, aten.zeros_like.default})


WITH_NUMBER: dict[Any, Callable[..., Any]] = {
    aten.mul.Scalar: torch.mul,
    aten.div.Scalar: torch.div,
    aten.add.Scalar: torch.add,
    aten.sub.Scalar: torch.sub,
}
"""Operations of a tensor and a number, which torch writes to memory by another face."""


def out_variant(
    operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any], places: Sequence[Tensor | None]
) -> Callable[[], Any]:
    """Return a call that leaves what ``operation(*args, **kwargs)`` gives in ``places``."""
    if operation in ALREADY_THERE:
        return partial(aten.zero_.default._op, places[0])
    if operation in (aten.clone.default, aten._to_copy.default):
        return partial(aten.copy_.default._op, places[0], args[0])
    if operation is aten.relu.default:
        return partial(aten.clamp_min.out._op, args[0], 0, out=places[0])
    if operation is aten.max_pool2d_with_indices_backward.default:
        gradient, indices = args[0], args[-1]
        if gradient.stride() != indices.stride():
            return _pooled_back(gradient, args[1:], places[0], indices.stride())
    if operation in WITH_NUMBER:
        return partial(WITH_NUMBER[operation], *args, out=places[0])
    found = _out_overload(operation)
    if found is not None:
        overload, names = found
        return partial(overload._op, *args, **kwargs, **dict(zip(names, places, strict=True)))
    return partial(_copied, partial(operation, *args, **kwargs), places)


def _pooled_back(
    gradient: Tensor, rest: tuple[Any, ...], place: Tensor | None, strides: tuple[int, ...]
) -> Callable[[], Any]:
    """Lay the gradient out as the pooled values were; torch takes four times as long without."""
    aligned = torch.empty_strided(gradient.shape, strides, device=gradient.device)
    back = aten.max_pool2d_with_indices_backward.grad_input._op

    def run() -> None:
        aligned.copy_(gradient)
        back(aligned, *rest, grad_input=place)

    return run


def _copied(call: Callable[[], Any], places: Sequence[Tensor | None]) -> None:
    value = call()
    for place, one in zip(places, [value] if isinstance(value, Tensor) else value, strict=True):
        if place is not None:
            place.copy_(one)


@cache
def _out_overload(operation: Any) -> tuple[Any, tuple[str, ...]] | None:
    """Return the overload that writes, if it has a kernel of its own, and its outputs' names."""
    wanted = [(one.name, str(one.type)) for one in operation._schema.arguments]
    packet = operation.overloadpacket
    for name in packet.overloads():
        overload = getattr(packet, name)
        arguments = overload._schema.arguments
        given = [(one.name, str(one.type)) for one in arguments if not one.is_out]
        outs = tuple(one.name for one in arguments if one.is_out)
        if outs and given == wanted and overload.has_kernel_for_dispatch_key("CPU"):
            return overload, outs
    return None
