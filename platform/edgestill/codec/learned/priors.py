"""What a symbol costs: bits under a learned density, and under a Laplacian of given scale.

Letters: M tokens (of all images), L latent channels, H hyper-latent channels, E experts.
"""

# Names end in shape letters.
# ruff: noqa: N803

import math
from typing import cast

import torch
from torch import Tensor, nn

from edgestill.vision_operators import declare_vision_operators

declare_vision_operators()

from compressai.entropy_models import (  # noqa: E402 - after the declaration that it needs
    EntropyBottleneck,
    GaussianConditional,
)
from compressai.ops import LowerBound  # noqa: E402

LEAST_SCALE = 0.05
LARGEST_SCALE = 64.0
SCALES = 128
"""Scales are coded on this logarithmic grid, of 5.8 % a step: 0.0005 bit per symbol is lost."""

SCALE_STEP = math.log(LARGEST_SCALE / LEAST_SCALE) / (SCALES - 1)
LEAST_LIKELIHOOD = 2.0**-32
"""What a symbol outside its table costs once it is coded: 16 bits to escape, 16 for itself."""


def scale_grid() -> list[float]:
    """Return the scales b of the Laplacian that have a table, ascending."""
    return [LEAST_SCALE * math.exp(SCALE_STEP * place) for place in range(SCALES)]


def rounded(values: Tensor) -> Tensor:
    """Round to the nearest integer; the gradient passes as if nothing was done (straight-through).

    The identity of TOFC's STE (Yuan et al., IEEE TMC 2026), after Bengio et al. (2013).
    """
    return values + (values.round() - values).detach()


class DensityPrior(nn.Module):
    """The factorised prior: a density for each channel (Ballé et al., ICLR 2018, appendix 6.1).

    The density is CompressAI's ``EntropyBottleneck``; its quantiles stay where they are and the
    channel's median is taken as 0, since what makes the latent has a bias of its own.
    """

    def __init__(self, channels: int, *, spread: float = 4.0) -> None:
        super().__init__()
        self.channels = channels
        self.bottleneck = EntropyBottleneck(
            channels, init_scale=spread, likelihood_bound=LEAST_LIKELIHOOD
        )
        self.bottleneck.quantiles.requires_grad_(False)

    def bits(self, values_MC: Tensor, channels: slice | None = None) -> Tensor:
        """Return -log2 of the mass of the unit bin around each value, MC, for some channels.

        Args:
            values_MC: of the channels that ``channels`` picks; all without it.
            channels: which of the module's channels.
        """
        return -self.likelihoods(values_MC, channels).log2()

    def likelihoods(self, values_MC: Tensor, channels: slice | None = None) -> Tensor:
        """Return the mass of the unit bin around each value, MC, at least 2**-32."""
        own = channels or slice(None)
        lower, upper = (self._logits(values_MC + shift, own) for shift in (-0.5, 0.5))
        # The smaller tail keeps its digits.
        sign = -(lower + upper).sign().detach()
        mass = (torch.sigmoid(sign * upper) - torch.sigmoid(sign * lower)).abs()
        return cast(Tensor, self.bottleneck.likelihood_lower_bound(mass))

    def _logits(self, values_MC: Tensor, own: slice) -> Tensor:
        """Return the logit of the cumulative distribution (equation 21 of the paper)."""
        logits = values_MC.t().unsqueeze(1)
        layers = zip(
            self.bottleneck.matrices,
            self.bottleneck.biases,
            [*self.bottleneck.factors, None],
            strict=True,
        )
        for matrix, bias, factor in layers:
            logits = nn.functional.softplus(matrix[own]) @ logits + bias[own]
            if factor is not None:
                logits = logits + torch.tanh(factor[own]) * torch.tanh(logits)
        return logits.squeeze(1).t()


class LaplacianConditional(GaussianConditional):  # type: ignore[misc]
    """CompressAI's conditional model with a Laplacian in the Gaussian's place (TOFC's choice)."""

    def __init__(self) -> None:
        super().__init__(scale_grid(), scale_bound=LEAST_SCALE, likelihood_bound=LEAST_LIKELIHOOD)

    def bits(self, residuals: Tensor, scales: Tensor) -> Tensor:
        """Return -log2 of the unit bin's mass, F(r + 1/2) - F(r - 1/2) with F of scale b."""
        likelihoods = self._likelihood(residuals, scales)
        return cast(Tensor, -self.likelihood_lower_bound(likelihoods).log2())

    def _standardized_cumulative(self, inputs: Tensor) -> Tensor:
        tail = 0.5 * torch.exp(-inputs.abs())
        return torch.where(inputs < 0, tail, 1 - tail)

    @staticmethod
    def _standardized_quantile(quantile: float) -> float:
        return math.log(2 * quantile)


class LogScale(nn.Module):
    """A raw output as a place on the grid of scales, within the grid."""

    def __init__(self) -> None:
        super().__init__()
        self.least = LowerBound(0.0)
        self.most = LowerBound(-(SCALES - 1.0))

    def forward(self, raw: Tensor) -> Tensor:
        """Return b of the raw place; at the ends the gradient only passes inwards."""
        place = -self.most(-self.least(raw))
        return LEAST_SCALE * torch.exp(SCALE_STEP * place)
