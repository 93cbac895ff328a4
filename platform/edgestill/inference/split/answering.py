"""The server half's network: projector, then a transformer in which questions attend to tokens.

Letters: B images, N tokens, D features, Q questions, W width of the network.
"""

# Names end in shape letters.
# ruff: noqa: N803, N806

from torch import Tensor, nn

from edgestill.data.scene_vqa import ANSWERS, QUESTION_WIDTH
from edgestill.inference.split.encoder import DIMENSION, TOKEN_SCALE

WIDTH = 64
HEADS = 4
HOPS = 3
"""Layers in which questions attend to tokens: find the object, compare, answer."""


class AnswerHead(nn.Module):
    """Answers all questions about an image together; they do not see each other."""

    def __init__(self) -> None:
        super().__init__()
        self.projector = nn.Sequential(
            nn.Linear(DIMENSION, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH)
        )
        self.question = nn.Linear(QUESTION_WIDTH, WIDTH)
        self.mixing = AttentionLayer()
        self.hops = nn.ModuleList(AttentionLayer() for _ in range(HOPS))
        self.answer = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, len(ANSWERS)))

    def forward(self, tokens_BND: Tensor, questions_BQ: Tensor) -> Tensor:
        """Return the logits of the answers [B, Q, 10]; questions are [B, Q, 11] floats."""
        seen_BNW = self.projector(tokens_BND / TOKEN_SCALE)
        seen_BNW = self.mixing(seen_BNW, seen_BNW)
        asked_BQW = self.question(questions_BQ)
        for hop in self.hops:
            asked_BQW = hop(asked_BQW, seen_BNW)
        logits: Tensor = self.answer(asked_BQW)
        return logits


class AttentionLayer(nn.Module):
    """Attention and a perceptron, each normalised before and added (Xiong et al., ICML 2020)."""

    def __init__(self) -> None:
        super().__init__()
        self.norm_asking, self.norm_seen = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.query, self.key_value = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 2 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)
        self.perceptron = nn.Sequential(
            nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH)
        )

    def forward(self, asking_BQW: Tensor, seen_BNW: Tensor) -> Tensor:
        """Return BQW."""
        query = _heads(self.query(self.norm_asking(asking_BQW)))
        key, value = self.key_value(self.norm_seen(seen_BNW)).chunk(2, dim=-1)
        mixed = nn.functional.scaled_dot_product_attention(query, _heads(key), _heads(value))
        asking_BQW = asking_BQW + self.out(mixed.transpose(1, 2).flatten(2))
        result: Tensor = asking_BQW + self.perceptron(asking_BQW)
        return result


def _heads(values_BLW: Tensor) -> Tensor:
    images, length, _ = values_BLW.shape
    return values_BLW.view(images, length, HEADS, WIDTH // HEADS).transpose(1, 2)
