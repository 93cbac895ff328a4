"""From a trained codec to integers: weights rounded, densities made into tables of counts."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgestill.codec.frozen import FrozenCodec
from edgestill.codec.frozen.integers import IntegerLayer
from edgestill.codec.frozen.latents import HIDDEN_BITS, STEP_BITS
from edgestill.codec.frozen.parameters import Array, Sizes
from edgestill.codec.learned.hyperprior import HyperpriorExperts
from edgestill.codec.learned.priors import DensityPrior, scale_grid
from edgestill.codec.tables import TableFamily, integer_counts

if TYPE_CHECKING:
    from edgestill.codec.learned.model import FeatureCodec
    from edgestill.codec.learned.router import Router

DENSITY_REACH = 1024
"""Densities have tables up to here; what lies beyond escapes."""

LEAST_MASS = 2.0**-17
TAIL_MASS = 2.0**-14


@torch.no_grad()
def frozen(codec: "FeatureCodec") -> FrozenCodec:
    """Return the integers of a trained codec, and the floats of its sending half."""
    hyper = codec.prior.hyper if isinstance(codec.prior, HyperpriorExperts) else 0
    sizes = Sizes(
        dimension=codec.dimension,
        kind=codec.kind,
        experts=codec.experts,
        rates=codec.rates,
        hyper=hyper,
    )
    arrays = {"sizes": sizes.to_array(), **_transforms(codec)}
    if isinstance(codec.prior, DensityPrior):
        arrays |= _family_arrays("latent", _density_tables(codec.prior))
    else:
        arrays |= _hyperprior(codec.prior)
    if codec.router is not None:
        arrays |= _router(codec.router)
    return FrozenCodec(arrays)


def _transforms(codec: "FeatureCodec") -> dict[str, Array]:
    gains = _floats(codec.log_gains.exp())
    arrays = {
        "encoder.analysis": _floats(codec.analysis.weight.t()),
        "encoder.analysis_bias": _floats(codec.analysis.bias),
        "encoder.gains": gains,
    }
    weight, bias = codec.synthesis.weight.t(), codec.synthesis.bias
    for rate, gains_of_rate in enumerate(codec.log_gains.exp()):
        scaled = _floats(weight / gains_of_rate.unsqueeze(1))
        layer = IntegerLayer.of(scaled, _floats(bias), input_bits=STEP_BITS)
        arrays |= layer.to_arrays(f"transform.{rate}")
    return arrays


def _hyperprior(prior: HyperpriorExperts) -> dict[str, Array]:
    synthesis, latent = prior.synthesis, prior.latent
    second, second_bias = _floats(synthesis.second), _floats(synthesis.second_bias)
    first = IntegerLayer.of(_floats(synthesis.first), _floats(synthesis.first_bias), input_bits=0)
    layers = {"first": first}
    for name, part in (("means", slice(None, latent)), ("places", slice(latent, None))):
        layers[name] = IntegerLayer.of(
            second[..., part], second_bias[..., part], input_bits=HIDDEN_BITS
        )
    arrays: dict[str, Array] = {}
    for name, layer in layers.items():
        arrays |= layer.to_arrays(f"synthesis.{name}")
    for name in ("first", "first_bias", "second", "second_bias"):
        arrays[f"encoder.hyper.{name}"] = _floats(getattr(prior.analysis, name))
    arrays |= _family_arrays("hyper", _density_tables(prior.density))
    return arrays | _family_arrays("residual", laplacian_tables())


def _router(router: "Router") -> dict[str, Array]:
    first, second = router.first, router.second
    shares = _floats(torch.softmax(router.popularity, dim=0)).astype(np.float64)
    table = (0, integer_counts(shares * (1 - LEAST_MASS)))
    return {
        "encoder.router.first": _floats(first.weight.t()),
        "encoder.router.first_bias": _floats(first.bias),
        "encoder.router.second": _floats(second.weight.t()),
        "encoder.router.second_bias": _floats(second.bias),
        **_family_arrays("choice", TableFamily.of([table])),
    }


def _density_tables(prior: DensityPrior) -> TableFamily:
    """Return a table for each channel, from its first to its last symbol of some mass."""
    reach = torch.arange(-DENSITY_REACH, DENSITY_REACH + 1.0).unsqueeze(1)
    masses = prior.likelihoods(reach.expand(-1, prior.channels)).double().t().numpy()
    return TableFamily.of([_density_table(row) for row in masses])


def _density_table(masses: NDArray[np.float64]) -> tuple[int, NDArray[np.int32]]:
    some = np.flatnonzero(masses >= LEAST_MASS)
    first, last = (int(some[0]), int(some[-1])) if some.size else (DENSITY_REACH, DENSITY_REACH)
    kept = masses[first : last + 1]
    return first - DENSITY_REACH, integer_counts(kept / max(1.0, float(kept.sum())))


def laplacian_tables() -> TableFamily:
    """Return a table for each scale of the grid, as far as a tail of 2**-14."""
    return TableFamily.of([_laplacian_table(scale) for scale in scale_grid()])


def _laplacian_table(scale: float) -> tuple[int, NDArray[np.int32]]:
    reach = max(1, math.ceil(-scale * math.log(TAIL_MASS)))
    distances = np.abs(np.arange(-reach, reach + 1.0))
    beside = np.exp(-distances / scale) * math.sinh(0.5 / scale)
    masses = np.where(distances == 0, -math.expm1(-0.5 / scale), beside)
    return -reach, integer_counts(masses)


def _family_arrays(name: str, family: TableFamily) -> dict[str, Array]:
    return {
        f"{name}.lows": family.lows,
        f"{name}.sizes": family.sizes,
        f"{name}.counts": family.counts,
    }


def _floats(values: Tensor) -> NDArray[Any]:
    return np.ascontiguousarray(values.detach().cpu().numpy().astype(np.float32))
