"""Hyperprior experts: each token's own side information says how its latent is distributed.

Letters: M tokens, L latent channels, H hyper-latent channels, W hidden units, E experts.
"""

# Names end in shape letters.
# ruff: noqa: N803, N806

import math

import torch
from torch import Tensor, nn

from edgestill.codec.learned.priors import (
    LEAST_SCALE,
    SCALE_STEP,
    DensityPrior,
    LaplacianConditional,
    LogScale,
    rounded,
)

HYPER_SHARE = 16
"""dim(y) / dim(z), as in TOFC."""

LEAKAGE = 0.125
"""Slope of the rectifier below 0: a power of two, so that integers can do it exactly."""


class Stack(nn.Module):
    """E two-layer perceptrons side by side."""

    def __init__(self, experts: int, width_in: int, hidden: int, width_out: int) -> None:
        super().__init__()
        self.first = nn.Parameter(_initial(experts, width_in, hidden))
        self.first_bias = nn.Parameter(torch.zeros(experts, hidden))
        self.second = nn.Parameter(_initial(experts, hidden, width_out))
        self.second_bias = nn.Parameter(torch.zeros(experts, width_out))

    def forward(self, inputs_EMI: Tensor) -> Tensor:
        """Return EMO; the same inputs may be expanded over E."""
        hidden_EMW = torch.baddbmm(self.first_bias.unsqueeze(1), inputs_EMI, self.first)
        hidden_EMW = nn.functional.leaky_relu(hidden_EMW, LEAKAGE)
        return torch.baddbmm(self.second_bias.unsqueeze(1), hidden_EMW, self.second)


class HyperpriorExperts(nn.Module):
    """E hyperprior entropy models of the same latent (TOFC, Yuan et al., IEEE TMC 2026).

    For each: z = h_a(y), z_bar = round(z), (mu, b) = h_s(z_bar), y_bar = round(y - mu) + mu;
    p(y_bar | z_bar) is a Laplacian's unit-bin mass, p(z_bar) the factorised prior's. h_a and h_s
    have two layers; h_s gives log b, as a place on the grid of scales. There is a factorised
    prior for each rate.
    """

    def __init__(self, latent: int, *, experts: int, rates: int) -> None:
        super().__init__()
        self.latent = latent
        self.hyper = max(2, latent // HYPER_SHARE)
        hidden = max(16, latent // 2)
        self.experts = experts
        self.analysis = Stack(experts, latent, hidden, self.hyper)
        self.synthesis = Stack(experts, self.hyper, hidden, 2 * latent)
        self.density = DensityPrior(rates * experts * self.hyper)
        self.conditional = LaplacianConditional()
        self.scale = LogScale()
        with torch.no_grad():
            # Begin with b = 1 and with hyper-latents that are not all rounded to 0.
            self.synthesis.second.mul_(0.1)
            self.synthesis.second_bias[:, latent:] = -math.log(LEAST_SCALE) / SCALE_STEP
            self.analysis.second.mul_(4.0)

    def forward(self, latents_ML: Tensor, rate: int) -> tuple[Tensor, Tensor]:
        """Return y_bar EML and the bits per token, of latent and hyper-latent, EM."""
        inputs_EML = latents_ML.expand(self.experts, *latents_ML.shape)
        hyper_EMH = rounded(self.analysis(inputs_EML))
        means_EML, places_EML = self.synthesis(hyper_EMH).split(self.latent, dim=-1)
        residuals_EML = rounded(inputs_EML - means_EML)
        bits_EML = self.conditional.bits(residuals_EML, self.scale(places_EML))
        bits_EM = bits_EML.sum(-1) + self._hyper_bits(hyper_EMH, rate).sum(-1)
        return residuals_EML + means_EML, bits_EM

    def _hyper_bits(self, hyper_EMH: Tensor, rate: int) -> Tensor:
        experts, tokens, channels = hyper_EMH.shape
        width = experts * channels
        flat_MC = hyper_EMH.transpose(0, 1).reshape(tokens, width)
        bits_MC = self.density.bits(flat_MC, slice(rate * width, (rate + 1) * width))
        return bits_MC.reshape(tokens, experts, channels).transpose(0, 1)


def _initial(experts: int, width_in: int, width_out: int) -> Tensor:
    return torch.randn(experts, width_in, width_out) * math.sqrt(2 / width_in)
