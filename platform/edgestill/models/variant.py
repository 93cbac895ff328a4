"""Which part of the full model a device trains: some modalities, a leading block of each layer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgestill.errors import ConfigurationError
from edgestill.models.cost import Cost, measure_cost
from edgestill.models.factory import Factory
from edgestill.models.resolution import Compress, reduce_resolution

Arrays = dict[str, NDArray[np.float32]]
Shares = Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A part of a model family and its cost.

    Attributes:
        shares: kind to the share of its input's resolution, only the kinds in use.
        width: relative width in (0, 1].
        shapes: name to shape of every array that training with these kinds changes.
        cost: of the whole variant on one sample, over the kinds in use.
        kind_flops: kind to the forward operations that it adds.
        compress: makes partial modalities.
    """

    shares: Shares
    width: float
    shapes: Mapping[str, tuple[int, ...]]
    cost: Cost
    kind_flops: Mapping[str, int]
    compress: Compress = reduce_resolution

    def seen(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the inputs by kind as this variant sees them."""
        return self.compress(inputs, self.shares)


class ModelFamily:
    """All widths and modality subsets of one factory; variants are worked out once and kept."""

    def __init__(
        self,
        factory: Factory,
        modalities: Mapping[str, tuple[int, ...]],
        classes: int,
        compress: Compress = reduce_resolution,
    ) -> None:
        self._factory = factory
        self.compress = compress
        self.modalities = dict(modalities)
        self.classes = classes
        self._variants: dict[tuple[tuple[tuple[str, float], ...], float], Variant] = {}
        self._modules: dict[float, nn.Module] = {}

    def initial_arrays(self, seed: int) -> Arrays:
        """Return the full model's freshly drawn arrays, the same for the same seed."""
        return arrays_of(self._build(1.0, seed))

    def module(self, width: float) -> nn.Module:
        """Return the module of one width, kept between calls: load arrays before each use."""
        if width not in self._modules:
            self._modules[width] = self._build(width)
        return self._modules[width]

    def variant(self, shares: Shares, width: float) -> Variant:
        """Return the variant for these modality shares and this width.

        Raises:
            ConfigurationError: the factory's narrow model is no leading block of the wide one, or
            fails on these kinds.
        """
        key = (tuple(sorted(shares.items())), width)
        if key not in self._variants:
            try:
                self._variants[key] = self._work_out(dict(sorted(shares.items())), width)
            except (RuntimeError, LookupError) as error:
                raise ConfigurationError(
                    f"student.factory: the model fails on {dict(shares)} at width {width}: "
                    f"{' '.join(str(error).split())}; it must take any subset of the modalities, "
                    "at any resolution that a level names"
                ) from error
        return self._variants[key]

    def _build(self, width: float, seed: int = 0) -> nn.Module:
        """Build a module; torch's own random stream stays where it was."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self._factory(self.modalities, self.classes, width=width)

    def _work_out(self, shares: Shares, width: float) -> Variant:
        module, full = self._build(width), self._build(1.0).state_dict()
        shapes = _touched_shapes(module, self._sample(shares, batch=2))
        for name, shape in shapes.items():
            wide = tuple(full[name].shape) if name in full else ()
            if len(wide) != len(shape) or any(n > w for n, w in zip(shape, wide, strict=True)):
                raise ConfigurationError(
                    f"student.factory: {name} is {shape} at width {width} but {wide} at width 1; "
                    "a narrow array must be a leading block of the wide one"
                )
        cost = measure_cost(module, self._sample(shares, batch=1))
        trained = sum(int(np.prod(shape)) for shape in shapes.values())
        return Variant(
            shares=dict(shares),
            width=width,
            shapes=shapes,
            cost=Cost(
                parameters=trained,
                forward_flops=cost.forward_flops,
                activation_bytes=cost.activation_bytes,
            ),
            kind_flops={
                kind: measure_cost(module, self._sample({kind: share}, batch=1)).forward_flops
                for kind, share in shares.items()
            },
            compress=self.compress,
        )

    def _sample(self, shares: Shares, batch: int) -> dict[str, Tensor]:
        zeros = {kind: torch.zeros(batch, *self.modalities[kind]) for kind in shares}
        return self.compress(zeros, shares)


def _touched_shapes(module: nn.Module, inputs: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """Return what a step on ``inputs`` changes.

    That is parameters with a gradient, and float buffers of the parts that ran.
    """
    module.train()
    module.zero_grad(set_to_none=True)
    ran = _run(module, inputs)
    parameters = dict(module.named_parameters())
    touched = {
        name: tuple(parameter.shape)
        for name, parameter in parameters.items()
        if parameter.grad is not None
    }
    buffers = {
        name: tuple(buffer.shape)
        for name, buffer in module.state_dict().items()
        if name not in parameters and buffer.is_floating_point() and name.rpartition(".")[0] in ran
    }
    return {**touched, **buffers}


def _run(module: nn.Module, inputs: Mapping[str, Tensor]) -> set[str]:
    """Run a module forward and backward and return the names of its parts that took part."""
    ran: set[str] = set()

    def note(name: str) -> Callable[..., None]:
        return lambda *_: ran.add(name)

    hooks = [part.register_forward_pre_hook(note(name)) for name, part in module.named_modules()]
    try:
        module(inputs).logits.sum().backward()
    finally:
        for hook in hooks:
            hook.remove()
    return ran


def arrays_of(module: nn.Module) -> Arrays:
    """Return a module's floating-point state as float32 arrays, copied."""
    return {
        name: tensor.detach().to(torch.float32).cpu().numpy().copy()
        for name, tensor in module.state_dict().items()
        if tensor.is_floating_point()
    }


def load_arrays(module: nn.Module, arrays: Mapping[str, NDArray[np.float32]]) -> None:
    """Copy arrays into a module's state, in place; names that are absent stay as they are."""
    state = module.state_dict()
    with torch.no_grad():
        for name, array in arrays.items():
            state[name].copy_(torch.from_numpy(np.array(array, copy=True)))


def leading_block(
    arrays: Mapping[str, NDArray[np.float32]], shapes: Mapping[str, tuple[int, ...]]
) -> Arrays:
    """Cut each named array to the leading block of the given shape (HeteroFL, section 3)."""
    return {
        name: np.array(arrays[name][tuple(slice(length) for length in shape)], order="C")
        for name, shape in shapes.items()
    }
