"""What every codec of tokens gives while it is trained.

Letters: B images, N tokens, D features.
"""

# Names end in shape letters.
# ruff: noqa: N815

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Coded:
    """What a codec makes of tokens.

    Attributes:
        tokens_BND: as they are after decoding.
        bits_BN: bits of each token: latent, hyper-latent and expert's index.
        balance: load balance loss with its weight; 0 without a choice of experts.
    """

    tokens_BND: Tensor
    bits_BN: Tensor
    balance: Tensor
