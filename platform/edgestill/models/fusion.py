"""Late fusion over whichever modalities are present, and the two families built on it."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from edgestill.models.encoders import encoder

TEACHER_CHANNELS = {"visual": (32, 64, 64), "audio": (32, 64, 96), "sensor": (32, 64, 64)}
TEACHER_EMBEDDING_SIZE = 64
STUDENT_CHANNELS = {"visual": (8, 16), "audio": (8, 16, 16), "sensor": (12, 16)}
STUDENT_EMBEDDING_SIZE = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What a model gives for a batch.

    Attributes:
        logits: [B, K].
        embeddings: kind to [B, D], of the kinds that were present.
        fused: [B, D].
        gates: kind to a scalar in (0, 1), the weight of each present kind in the fusion.
    """

    logits: Tensor
    embeddings: dict[str, Tensor]
    fused: Tensor
    gates: dict[str, Tensor]


class LateFusion(nn.Module):
    """Gated sum of the present modalities' embeddings, then a linear classifier.

    A sum of embeddings under a linear head adds the modalities' evidence in the logits, so that an
    absent modality takes away its evidence and nothing else.
    """

    def __init__(self, encoders: Mapping[str, nn.Module], embedding_size: int, classes: int):
        super().__init__()
        self.encoders = nn.ModuleDict(dict(encoders))
        # A gate of sigmoid(2) = 0.88 leaves room to move both ways.
        self.gates = nn.ParameterDict({kind: nn.Parameter(torch.tensor(2.0)) for kind in encoders})
        self.classifier = nn.Linear(embedding_size, classes)

    def forward(self, inputs: Mapping[str, Tensor]) -> Output:
        """Return the output for inputs by kind, each [B, *shape]; a kind may be missing.

        Raises:
            ValueError: all of the model's kinds are missing.
        """
        embeddings = {
            kind: module(inputs[kind]) for kind, module in self.encoders.items() if kind in inputs
        }
        if not embeddings:
            raise ValueError(
                f"no input of any kind that the model knows; expected one or more of "
                f"{', '.join(self.encoders)}, got {', '.join(inputs) or 'none'}"
            )
        gates = {kind: torch.sigmoid(self.gates[kind]) for kind in embeddings}
        fused = torch.stack([gates[kind] * embeddings[kind] for kind in embeddings]).sum(dim=0)
        return Output(
            logits=self.classifier(fused), embeddings=embeddings, fused=fused, gates=gates
        )


def _late_fusion(
    modalities: Mapping[str, tuple[int, ...]],
    classes: int,
    width: float,
    channels: Mapping[str, tuple[int, ...]],
    embedding_size: int,
) -> LateFusion:
    encoders = {
        kind: encoder(kind, shape, channels=channels, width=width, embedding_size=embedding_size)
        for kind, shape in modalities.items()
    }
    return LateFusion(encoders, embedding_size, classes)


def teacher(
    modalities: Mapping[str, tuple[int, ...]], classes: int, width: float = 1.0
) -> LateFusion:
    """Build the cloud's model: all modalities, wide, embeddings of 64."""
    return _late_fusion(modalities, classes, width, TEACHER_CHANNELS, TEACHER_EMBEDDING_SIZE)


def student(
    modalities: Mapping[str, tuple[int, ...]], classes: int, width: float = 1.0
) -> LateFusion:
    """Build the devices' model at a relative width in (0, 1], embeddings of 24."""
    return _late_fusion(modalities, classes, width, STUDENT_CHANNELS, STUDENT_EMBEDDING_SIZE)
