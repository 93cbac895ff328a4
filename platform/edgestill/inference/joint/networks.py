"""The two networks of joint inference, each cut in two where knowledge passes.

Letters: B inputs, N tokens, D features of a token.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping

from torch import Tensor, nn


class Varied(nn.Module):
    """A part that in training changes inputs at random, and not what is right for them."""


class EdgeNetwork(nn.Module, ABC):
    """A device's network: tokens of the inputs, and an answer from the tokens.

    Attributes:
        token_shape: N and D.
    """

    token_shape: tuple[int, int]

    def inherit(self, cloud: "CloudNetwork") -> None:
        """Begin with the layers that a trained cloud's network has alike, if there are any.

        After Sanh et al., "DistilBERT", 2019, section 3, whose student begins so.
        """

    @abstractmethod
    def tokens(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return [B, N, D] of standardised inputs by kind, each [B, ...]."""

    @abstractmethod
    def answer(self, tokens: Tensor) -> Tensor:
        """Return the outputs for tokens [B, N, D], as the task reads them."""


class CloudNetwork(nn.Module, ABC):
    """A cloud's or a fog's network: features of the inputs, and an answer from the features."""

    @abstractmethod
    def features(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return [B, ...] of standardised inputs by kind, each [B, ...]."""

    @abstractmethod
    def answer(self, features: Tensor) -> Tensor:
        """Return the outputs for features [B, ...], as the task reads them."""

    @abstractmethod
    def adapter(self, token_shape: tuple[int, int]) -> nn.Module:
        """Return an untrained module from a device's tokens [B, N, D] to such features."""
