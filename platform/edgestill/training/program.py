"""A computation traced once and run over and over, in memory planned beforehand.

A step of a lane is some hundred small operations; to dispatch them through ``vmap`` and autograd,
to allocate each result and to take views of it costs more than the arithmetic. Here the step is
traced to the operations below both (``make_fx``), every result gets a place in memory once, views
are taken once, and a run is a plain list of calls. A place is used again as soon as nobody reads it
any more, so that a step stays in the cache. The operations are the same, and so is each bit of the
result.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, fx
from torch.fx.experimental.proxy_tensor import make_fx

from edgestill.training.out_variants import OVERWRITING, out_variant

ALIGNMENT_BYTES = 64


class Program:
    """A function of tensors, traced at their shapes.

    Args:
        function: takes and gives flat sequences of tensors, without branching on their values.
        examples: of its inputs.
    """

    def __init__(
        self, function: Callable[..., Sequence[Tensor]], examples: Sequence[Tensor]
    ) -> None:
        traced = make_fx(function)(*examples)
        traced.graph.eliminate_dead_code()
        values = _values(traced, examples)
        with torch.inference_mode():
            self._inputs = [torch.empty_like(one).copy_(one) for one in examples]
            plan = _Plan(traced.graph, values, self._inputs)
            self._outputs, self._calls = plan.outputs, plan.calls

    def run(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Return the outputs of inputs of the examples' shapes."""
        with torch.inference_mode():
            for place, given in zip(self._inputs, inputs, strict=True):
                place.copy_(given)
            for call in self._calls:
                call()
        # Copied outside of inference mode, so that they can be used like any tensor.
        return [one.clone() for one in self._outputs]


def _values(traced: fx.GraphModule, examples: Sequence[Tensor]) -> dict[fx.Node, Any]:
    """Return what each node gives at the examples; all are kept, so that no memory is shared."""
    values: dict[fx.Node, Any] = {}

    class Noting(fx.Interpreter):
        def run_node(self, node: fx.Node) -> Any:
            values[node] = super().run_node(node)
            return values[node]

    with torch.no_grad():
        Noting(traced, garbage_collect_values=False).run(*(one.clone() for one in examples))
    return values


def _storage(value: Any) -> int:
    return value.untyped_storage().data_ptr() if isinstance(value, Tensor) else 0


class _Plan:
    """Goes through a graph once, gives each result a place, and notes the calls."""

    def __init__(
        self, graph: fx.Graph, values: dict[fx.Node, Any], inputs: Sequence[Tensor]
    ) -> None:
        self.calls: list[Callable[[], Any]] = []
        self.outputs: list[Tensor] = []
        self._values = values
        self._static: dict[fx.Node, Any] = {}
        self._arena = _Arena(inputs[0].device)
        self._nodes = list(graph.nodes)
        self._last_use = self._last_uses()
        self._fixed = self._constant_storages()
        places = iter(inputs)
        for index, node in enumerate(self._nodes):
            if node.op == "placeholder":
                self._static[node] = next(places)
            elif node.op == "output":
                self.outputs = list(self._mapped(node.args[0]))
            else:
                self._static[node] = self._placed(node, index)
            self._release(index)

    def _last_uses(self) -> dict[int, int]:
        """Return the index of the last node that reads each storage."""
        last: dict[int, int] = {}
        for index, node in enumerate(self._nodes):
            never = index if node.op not in ("placeholder", "output") else len(self._nodes)
            for one in (node, *node.all_input_nodes):
                for value in _flat(self._values[one]):
                    last[_storage(value)] = max(last.get(_storage(value), 0), never)
        return last

    def _constant_storages(self) -> set[int]:
        """Return storages that no input reaches and nobody writes to."""
        written = {
            _storage(self._values[node.args[0]])
            for node in self._nodes
            if node.op == "call_function" and _mutates(node.target)
        }
        fixed: set[int] = set()
        for node in self._nodes:
            read = [_storage(v) for one in node.all_input_nodes for v in _flat(self._values[one])]
            made = [_storage(value) for value in _flat(self._values[node])]
            if node.op in ("call_function", "get_attr") and all(one in fixed for one in read):
                fixed.update(one for one in made if one not in written)
        return fixed

    def _mapped(self, argument: Any) -> Any:
        return fx.node.map_arg(argument, lambda node: self._static[node])

    def _placed(self, node: fx.Node, index: int) -> Any:
        """Return a node's value in its place, noting the call that computes it."""
        value = self._values[node]
        tensors = [one for one in _flat(value) if isinstance(one, Tensor)]
        if all(_storage(one) in self._fixed for one in tensors):
            return value
        args, kwargs = self._mapped(node.args), self._mapped(node.kwargs)
        operation: Any = node.target
        if not isinstance(operation, torch._ops.OpOverload):
            return operation(*args, **kwargs)  # operator.getitem
        if _mutates(operation):
            self.calls.append(partial(operation._op, *args, **kwargs))
            return args[0]
        read = {_storage(v) for one in node.all_input_nodes for v in _flat(self._values[one])}
        if isinstance(value, Tensor) and _storage(value) in read:
            return operation(*args, **kwargs)  # a view
        return self._computed(node, index, operation, args, kwargs)

    def _computed(
        self, node: fx.Node, index: int, operation: Any, args: tuple[Any, ...], kwargs: Any
    ) -> Any:
        value, taken = self._values[node], self._overwritten(node, index)
        places = (
            [None if one is None else self._arena.place(one, _storage(one)) for one in _flat(value)]
            if taken is None
            else [taken]
        )
        self.calls.append(out_variant(operation, args, kwargs, places))
        return places[0] if isinstance(value, Tensor) else tuple(places)

    def _overwritten(self, node: fx.Node, index: int) -> Tensor | None:
        """Return an operand that an elementwise operation may overwrite: nobody reads it again."""
        if node.target not in OVERWRITING:
            return None
        value = self._values[node]
        for one in node.all_input_nodes:
            operand, storage = self._values[one], _storage(self._values[one])
            if (
                isinstance(operand, Tensor)
                and self._last_use[storage] == index
                and storage not in self._fixed
                and self._arena.holds(storage)
                and (operand.shape, operand.stride()) == (value.shape, value.stride())
                and operand.dtype == value.dtype
                and operand.untyped_storage().nbytes() == value.untyped_storage().nbytes()
            ):
                self._arena.rename(storage, _storage(value))
                taken: Tensor = self._static[one]
                return taken
        return None

    def _release(self, index: int) -> None:
        for one in (self._nodes[index], *self._nodes[index].all_input_nodes):
            for value in _flat(self._values[one]):
                if self._last_use[_storage(value)] == index:
                    self._arena.release(_storage(value))


def _flat(value: Any) -> list[Any]:
    return list(value) if isinstance(value, tuple | list) else [value]


def _mutates(operation: Any) -> bool:
    return isinstance(operation, torch._ops.OpOverload) and operation._schema.is_mutable


class _Arena:
    """Blocks of memory that change hands; the one given back last is given out first."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._free: defaultdict[int, list[Tensor]] = defaultdict(list)
        self._held: dict[int, Tensor] = {}

    def place(self, like: Tensor, name: int) -> Tensor:
        """Return memory for a tensor, of its shape and strides."""
        spans = zip(like.shape, like.stride(), strict=True)
        numbers = 1 + sum((size - 1) * step for size, step in spans) if like.numel() else 0
        size = max(1, math.ceil(numbers * like.element_size() / ALIGNMENT_BYTES)) * ALIGNMENT_BYTES
        fitting = [held for held, free in self._free.items() if free and size <= held <= 2 * size]
        if fitting:
            block = self._free[min(fitting)].pop()
        else:
            block = torch.empty(size, dtype=torch.uint8, device=self._device)
        self._held[name] = block
        return block.view(like.dtype).as_strided(like.shape, like.stride())

    def holds(self, name: int) -> bool:
        """Return whether a storage has a block here."""
        return name in self._held

    def rename(self, name: int, new: int) -> None:
        """Hand a block over."""
        self._held[new] = self._held.pop(name)

    def release(self, name: int) -> None:
        """Take a block back."""
        block = self._held.pop(name, None)
        if block is not None:
            self._free[len(block)].append(block)
