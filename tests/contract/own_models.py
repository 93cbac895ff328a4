"""Models that a user might bring, named in configurations as ``own_models:attribute``."""

import torch
from torch import nn

from edgestill.models import Output

HIDDEN, SIZE, CELLS = 6, 5, 8


class Flat(nn.Module):
    """One linear map per kind, summed, with a scalar parameter and running statistics."""

    def __init__(self, modalities, classes, width=1.0):
        super().__init__()
        hidden = max(1, round(HIDDEN * width))
        self.maps = nn.ModuleDict(
            {
                kind: nn.Sequential(nn.Linear(CELLS, hidden), nn.ReLU(), nn.Linear(hidden, SIZE))
                for kind in modalities
            }
        )
        self.norms = nn.ModuleDict({kind: nn.BatchNorm1d(SIZE) for kind in self.maps})
        self.scale = nn.Parameter(torch.tensor(1.5))
        self.head = nn.Linear(SIZE, classes)
        self.register_buffer("shift", torch.zeros(SIZE), persistent=False)

    def forward(self, inputs):
        embeddings = {
            kind: self.norms[kind](self.maps[kind](pooled(inputs[kind])))
            for kind in self.maps
            if kind in inputs
        }
        fused = self.scale * sum(embeddings.values()) + self.shift
        return Output(logits=self.head(fused), embeddings=embeddings, fused=fused, gates={})


def pooled(inputs):
    """Return [B, CELLS] of inputs of any resolution."""
    return nn.functional.adaptive_avg_pool1d(inputs.flatten(1).unsqueeze(1), CELLS).squeeze(1)


class Rigid(Flat):
    """Takes inputs of one resolution only."""

    def forward(self, inputs):
        if "visual" in inputs and inputs["visual"].shape[-1] != 6:
            raise RuntimeError(f"expected 6 columns\ngot {inputs['visual'].shape[-1]}")
        return super().forward(inputs)


class Greedy(Flat):
    """Cannot do without the sensor."""

    def forward(self, inputs):
        return super().forward({**inputs, "sensor": inputs["sensor"]})


def flat(modalities, classes, width=1.0):
    return Flat(modalities, classes, width)


def rigid(modalities, classes, width=1.0):
    return Rigid(modalities, classes, width)


def greedy(modalities, classes, width=1.0):
    return Greedy(modalities, classes, width)


def grows_when_narrow(modalities, classes, width=1.0):
    return Flat(modalities, classes, 2.0 - width)


def exploding(modalities, classes, width=1.0):
    raise RuntimeError("no model today")


not_callable = 3
