"""Which expert codes a token: soft while training, one signalled choice afterwards."""

# Names end in shape letters.
# ruff: noqa: N803, N806, N815

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

HIDDEN = 128
FIRST_TEMPERATURE = 1.0
LAST_TEMPERATURE = 0.1
BALANCE_WEIGHT = 0.01
HARD_FROM = 0.6
"""Point of the training from which on one expert codes a token, as it will be afterwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Shares of the experts.

    Attributes:
        weights_ME: non-negative, 1 in sum; one of them is 1 once the choice is hard.
        bits_M: what the choice costs.
        balance: the load balance loss, its weight included.
    """

    weights_ME: Tensor
    bits_M: Tensor
    balance: Tensor


class Router(nn.Module):
    """Linear(D, 128), GELU, Linear(128, E), and a softmax of falling temperature.

    TOFC (Yuan et al., IEEE TMC 2026): w = softmax(s / T); the balance loss is
    a * sum_e (mean w_e - 1/E)**2 with a = 0.01. The mean of several experts' roundings is finer
    than what any of them gives, so that soft shares alone never learn to decide: in the last part
    of the training the choice is hard and its gradient that of the shares (straight-through). It is
    signalled under a learned table of E probabilities, or in log2(E) bits where those are fewer.
    """

    temperature: Tensor
    hard: Tensor

    def __init__(self, dimension: int, experts: int) -> None:
        super().__init__()
        self.experts = experts
        self.first = nn.Linear(dimension, HIDDEN)
        self.second = nn.Linear(HIDDEN, experts)
        self.popularity = nn.Parameter(torch.zeros(experts))
        self.register_buffer("temperature", torch.tensor(FIRST_TEMPERATURE))
        self.register_buffer("hard", torch.tensor(False))

    def anneal(self, progress: float) -> None:
        """Set T for a point of the training, 0 to 1: from 1.0 to 0.1, by equal factors.

        From 0.6 on the choice is hard.
        """
        ratio = LAST_TEMPERATURE / FIRST_TEMPERATURE
        self.temperature.fill_(FIRST_TEMPERATURE * ratio ** min(max(progress, 0.0), 1.0))
        self.hard.fill_(progress >= HARD_FROM)

    def forward(self, tokens_MD: Tensor) -> Routing:
        """Return the shares of the experts for each token."""
        hidden_MW = nn.functional.gelu(self.first(tokens_MD), approximate="tanh")
        scores_ME = self.second(hidden_MW)
        soft_ME = torch.softmax(scores_ME / self.temperature, dim=-1)
        balance = BALANCE_WEIGHT * (soft_ME.mean(0) - 1 / self.experts).square().sum()
        choice_M = scores_ME.argmax(-1)
        if not self.training:
            hard_ME = self._one_of(choice_M, soft_ME)
            bits_M = self._signalled_bits(choice_M)
            return Routing(weights_ME=hard_ME, bits_M=bits_M, balance=balance)
        # The table follows the choice; the choice does not flock to what is popular.
        bits_M = soft_ME.detach() @ self.choice_bits()
        weights_ME = soft_ME
        if self.hard:
            weights_ME = self._one_of(choice_M, soft_ME) + soft_ME - soft_ME.detach()
        return Routing(weights_ME=weights_ME, bits_M=bits_M, balance=balance)

    def _one_of(self, choice_M: Tensor, like_ME: Tensor) -> Tensor:
        return nn.functional.one_hot(choice_M, self.experts).to(like_ME.dtype)

    def choice_bits(self) -> Tensor:
        """Return -log2 of each expert's probability in the learned table, E."""
        return -torch.log_softmax(self.popularity, dim=0) / math.log(2)

    def _signalled_bits(self, choice_M: Tensor) -> Tensor:
        """Return the bits of choices that are coded together."""
        coded_M = self.choice_bits()[choice_M]
        plain = math.log2(self.experts)
        return (
            coded_M
            if float(coded_M.detach().sum()) < plain * len(choice_M)
            else coded_M * 0 + plain
        )
