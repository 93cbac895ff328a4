"""The contest's small networks as students of ours: any input by kind, our output."""

from collections.abc import Mapping

from torch import Tensor, nn

from edgestill.jobs.benchmarks.peers.app.digits8.models import MODELS
from edgestill.models import Output

PREFIX = "body."
"""What our names of the arrays have in front of the peers'."""

Shapes = Mapping[str, tuple[int, ...]]


class OneKind(nn.Module):
    """A network for one modality; it has neither embeddings nor a fusion."""

    def __init__(self, body: nn.Module, kind: str) -> None:
        super().__init__()
        self.body = body
        self._kind = kind

    def forward(self, inputs: Mapping[str, Tensor]) -> Output:
        """Return the logits [B, 10] of inputs [B, 1, 8, 8]."""
        logits = self.body(inputs[self._kind])
        return Output(logits=logits, embeddings={}, fused=logits, gates={})


def small_cnn(modalities: Shapes, classes: int, width: float = 1.0) -> OneKind:
    """Build the convolutional network; it has one width."""
    return _built("small_cnn", modalities)


def mlp(modalities: Shapes, classes: int, width: float = 1.0) -> OneKind:
    """Build the perceptron; it has one width."""
    return _built("mlp", modalities)


def _built(name: str, modalities: Shapes) -> OneKind:
    (kind,) = modalities
    return OneKind(MODELS[name](), kind)
