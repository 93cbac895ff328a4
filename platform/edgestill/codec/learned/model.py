"""The feature codec that is trained: tokens in, tokens as the server will see them and their bits.

Letters: B images, N tokens, D features, M = B * N, L latent channels, E experts, R rates.
"""

# Names end in shape letters.
# ruff: noqa: N803, N806

import math
from typing import Literal

import torch
from torch import Tensor, nn

from edgestill.codec.frame import MAX_FRAME_BYTES
from edgestill.codec.frozen import FrozenCodec
from edgestill.codec.learned.coded import Coded
from edgestill.codec.learned.freeze import frozen
from edgestill.codec.learned.hyperprior import HyperpriorExperts
from edgestill.codec.learned.priors import DensityPrior, rounded
from edgestill.codec.learned.router import Router, Routing

Kind = Literal["factorised", "hyperprior", "mixture"]
KINDS = ("factorised", "hyperprior", "mixture")
MAX_EXPERTS = 64
MAX_RATES = 16


class FeatureCodec(nn.Module):
    """Linear transform, gain per rate, entropy model; trained by task loss + lambda * rate.

    y = g_r * (W x + c), coded with unit bins; x' = W' (y_bar / g_r) + c'. W begins as the
    identity. The gain of each channel is learned, for each rate its own (Cui et al., CVPR 2021),
    so that one model serves several rates; rate 0 is the coarsest. ``rates`` = 1 is one model for
    one lambda. Entropy models (Yuan et al., IEEE TMC 2026): ``factorised``, one ``hyperprior``,
    or a ``mixture`` of hyperprior experts of which one codes a token.
    """

    def __init__(
        self, dimension: int, *, kind: Kind, experts: int = 1, rates: int = 1, step: float = 1.0
    ) -> None:
        """Begin untrained.

        Args:
            dimension: D.
            kind: which entropy model.
            experts: E, at least 2 for a mixture and 1 otherwise.
            rates: R.
            step: quantisation step that the finest rate begins with, in units of the tokens; each
                coarser rate begins with a step twice as large.

        Raises:
            ValueError: an argument is out of range.
        """
        super().__init__()
        _check(dimension, kind, experts, rates, step)
        self.dimension, self.kind, self.experts, self.rates = dimension, kind, experts, rates
        self.analysis = _identity(dimension)
        self.synthesis = _identity(dimension)
        finest = math.log(1 / step)
        gains_R1 = finest - math.log(2) * torch.arange(rates - 1, -1, -1.0).unsqueeze(1)
        self.log_gains = nn.Parameter(gains_R1.repeat(1, dimension))
        self.router = Router(dimension, experts) if kind == "mixture" else None
        self.prior: DensityPrior | HyperpriorExperts
        self._frozen: FrozenCodec | None = None
        if kind == "factorised":
            self.prior = DensityPrior(rates * dimension)
        else:
            self.prior = HyperpriorExperts(dimension, experts=experts, rates=rates)

    def forward(self, tokens_BND: Tensor, rate: int = 0) -> Coded:
        """Return the tokens as decoded, and what they cost.

        In training all experts code each token and the router's shares weigh results and bits,
        until :meth:`anneal` makes the choice hard; in evaluation it is. Rounding is
        straight-through in both.

        Raises:
            ValueError: tokens of another width, or no such rate.
        """
        self._check_request(tokens_BND, rate)
        tokens_MD = tokens_BND.reshape(-1, self.dimension)
        gains_L = self.log_gains[rate].exp()
        latents_ML = self.analysis(tokens_MD) * gains_L
        routing = None if self.router is None else self.router(tokens_MD)
        coded_ML, bits_M = self._coded(latents_ML, rate, routing)
        decoded_MD = self.synthesis(coded_ML / gains_L)
        balance = tokens_BND.new_zeros(()) if routing is None else routing.balance
        return Coded(
            tokens_BND=decoded_MD.reshape(tokens_BND.shape),
            bits_BN=bits_M.reshape(tokens_BND.shape[:-1]),
            balance=balance,
        )

    def anneal(self, progress: float) -> None:
        """Prepare the router for a point of the training, 0 to 1; to be called before each step.

        A mixture that never hears of it stays soft, and codes worse than its training showed.
        """
        if self.router is not None:
            self.router.anneal(progress)

    def freeze(self) -> FrozenCodec:
        """Return the codec as integers, which :meth:`encode` and :meth:`decode` use from now on.

        What is trained afterwards is not in it; freeze again.
        """
        self._frozen = frozen(self)
        return self._frozen

    def encode(self, tokens_ND: Tensor, rate: int = 0, max_bytes: int = MAX_FRAME_BYTES) -> bytes:
        """Return the frame of one request's tokens; see :meth:`FrozenCodec.encode`.

        Raises:
            ValueError: not frozen yet, not such tokens, or no such rate.
            RateError: the frame would have more than ``max_bytes``.
        """
        tokens = tokens_ND.detach().cpu().numpy()
        return self._integers().encode(tokens, rate, max_bytes)

    def decode(self, frame: bytes) -> Tensor:
        """Return the tokens ND of a frame; see :meth:`FrozenCodec.decode`.

        Raises:
            ValueError: not frozen yet.
            FrameError: anything but a whole frame made by this codec.
        """
        return torch.from_numpy(self._integers().decode(frame))

    def _integers(self) -> FrozenCodec:
        if self._frozen is None:
            raise ValueError("the codec is not frozen; call freeze() after its training")
        return self._frozen

    def _coded(
        self, latents_ML: Tensor, rate: int, routing: Routing | None
    ) -> tuple[Tensor, Tensor]:
        if isinstance(self.prior, DensityPrior):
            symbols_ML = rounded(latents_ML)
            own = slice(rate * self.dimension, (rate + 1) * self.dimension)
            return symbols_ML, self.prior.bits(symbols_ML, own).sum(-1)
        coded_EML, bits_EM = self.prior(latents_ML, rate)
        if routing is None:
            return coded_EML[0], bits_EM[0]
        weights_EM = routing.weights_ME.t()
        coded_ML = (weights_EM.unsqueeze(-1) * coded_EML).sum(0)
        return coded_ML, (weights_EM * bits_EM).sum(0) + routing.bits_M

    def _check_request(self, tokens_BND: Tensor, rate: int) -> None:
        if tokens_BND.shape[-1] != self.dimension:
            raise ValueError(
                f"tokens have {tokens_BND.shape[-1]} features; this codec takes {self.dimension}"
            )
        if not 0 <= rate < self.rates:
            raise ValueError(f"rate is {rate}; this codec has rates 0 to {self.rates - 1}")


def _identity(width: int) -> nn.Linear:
    layer = nn.Linear(width, width)
    nn.init.eye_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def _check(dimension: int, kind: Kind, experts: int, rates: int, step: float) -> None:
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}; expected {', '.join(KINDS)}")
    if not 1 <= dimension <= 2048:
        raise ValueError(f"dimension is {dimension}; expected 1 to 2048")
    least, most = (2, MAX_EXPERTS) if kind == "mixture" else (1, 1)
    if not least <= experts <= most:
        raise ValueError(f"experts is {experts}; {kind} takes {least} to {most}")
    if not 1 <= rates <= MAX_RATES:
        raise ValueError(f"rates is {rates}; expected 1 to {MAX_RATES}")
    if not (math.isfinite(step) and step > 0):
        raise ValueError(f"step is {step}; expected above 0")
