"""How a device merges its tokens, as a value that both training and inference hold."""

# Names end in shape letters.
# ruff: noqa: N803

from dataclasses import dataclass

from torch import Tensor

from edgestill.codec.tokens import Method, merge_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Merging:
    """Merging of an image's tokens.

    Attributes:
        method: see :func:`edgestill.codec.tokens.merge_tokens`.
        count: tokens that are left.
        seed: of ties and of random choices; device and training share it.
    """

    method: Method = "dpc_knn"
    count: int = 8
    seed: int = 0

    def __call__(self, tokens_BTD: Tensor) -> Tensor:
        """Return the merged tokens, BND."""
        merged = merge_tokens(tokens_BTD, self.count, method=self.method, seed=self.seed)
        return merged.tokens_BND
