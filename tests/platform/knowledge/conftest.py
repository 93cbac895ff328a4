"""A small public data set and a teacher that is a fixed linear map."""

import numpy as np
import pytest
import torch
from torch import nn

from edgestill.data import Dataset, Modality
from edgestill.knowledge import KnowledgeBank, fit_projection
from edgestill.models import Output

CLASSES = 4
SAMPLES = 80


class LinearTeacher(nn.Module):
    """Embeds each kind linearly; counts how often it is run and in which mode."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.maps = nn.ModuleDict({"visual": nn.Linear(12, 9), "sensor": nn.Linear(10, 9)})
        self.head = nn.Linear(9, CLASSES)
        self.modes: list[bool] = []

    def forward(self, inputs):
        self.modes.append(self.training)
        embeddings = {kind: layer(inputs[kind].flatten(1)) for kind, layer in self.maps.items()}
        fused = sum(embeddings.values())
        return Output(logits=self.head(fused), embeddings=embeddings, fused=fused, gates={})


def make_dataset(digest: str = "0123456789abcdef") -> Dataset:
    """Classes are blobs in both kinds; visual is stored as uint8, sensor as int8."""
    rng = np.random.default_rng(0)
    labels = np.arange(SAMPLES) % CLASSES
    visual = rng.integers(0, 256, (CLASSES, 1, 3, 4))[labels] * 0.8 + rng.integers(
        0, 50, (SAMPLES, 1, 3, 4)
    )
    sensor = rng.integers(-90, 90, (CLASSES, 2, 5))[labels] + rng.integers(-30, 30, (SAMPLES, 2, 5))
    return Dataset(
        name="blobs",
        modalities={
            "visual": Modality(
                kind="visual", file="v.npy", shape=(1, 3, 4), scale=1 / 255, offset=-0.5
            ),
            "sensor": Modality(kind="sensor", file="s.npy", shape=(2, 5), scale=0.03, offset=0.0),
        },
        arrays={"visual": visual.astype(np.uint8), "sensor": sensor.astype(np.int8)},
        labels=labels.astype(np.int64),
        users=None,
        classes=CLASSES,
        splits={"public": np.arange(SAMPLES, dtype=np.int64)},
        digest=digest,
    )


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    return make_dataset()


@pytest.fixture(scope="session")
def teacher() -> LinearTeacher:
    return LinearTeacher()


@pytest.fixture(scope="session")
def bank(dataset, teacher) -> KnowledgeBank:
    # Not the identity, so that positions and indices cannot be confused unnoticed.
    indices = np.arange(SAMPLES - 1, 9, -1, dtype=np.int64)
    projection = fit_projection(
        dataset.inputs(indices), dataset.labels[indices], classes=CLASSES, width=3
    )
    return KnowledgeBank.build(teacher, dataset, indices, projection, width=6, batch_size=32)
