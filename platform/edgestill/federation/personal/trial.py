"""The device's half: make the global student one's own, and test both on what was held out."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from edgestill.federation.device.part import Prepared
from edgestill.federation.world import World
from edgestill.models import Arrays, Variant, load_arrays
from edgestill.training import Samples, Trained

GLOBAL, PERSONAL = "global", "personal"
HELD_OUT = "held-out-examples"


@dataclass(frozen=True, slots=True, kw_only=True)
class Balanced:
    """How well one student answers.

    ``accuracy`` counts every sample alike; ``balanced_accuracy`` every class that there is: it is
    the mean of their recalls. Both are 0..1.
    """

    accuracy: float
    balanced_accuracy: float

    @classmethod
    def of(cls, predicted: NDArray[np.int64], labels: NDArray[np.int64]) -> "Balanced":
        """Compare predictions [n] with labels [n], n at least 1."""
        right = predicted == labels
        recalls = [float(right[labels == label].mean()) for label in np.unique(labels)]
        return cls(accuracy=float(right.mean()), balanced_accuracy=float(np.mean(recalls)))


def trial_metrics(world: World, prepared: Prepared, trained: Trained) -> dict[str, float]:
    """Return what a device tells of its trial: shares of right answers, nothing of one sample.

    Both students are scored as the device runs them at its level, on rows never trained on. A
    device that holds none out tells just that.
    """
    rows = np.empty(0, np.int64) if world.held_out is None else world.held_out[prepared.device]
    told: dict[str, float] = {
        "device": prepared.device,
        HELD_OUT: len(rows),
        "downlink-model-bytes": len(prepared.instruction.model),
        "downlink-knowledge-bytes": len(prepared.instruction.knowledge),
    }
    if len(rows):
        samples, variant = Samples.of(world.dataset, rows), prepared.work.variant
        for student, arrays in ((GLOBAL, prepared.member.arrays), (PERSONAL, trained.arrays)):
            score = _score(world, samples, variant, arrays)
            told[f"{student}-accuracy"] = score.accuracy
            told[f"{student}-balanced-accuracy"] = score.balanced_accuracy
    return told


def _score(world: World, samples: Samples, variant: Variant, arrays: Arrays) -> Balanced:
    module = world.family.module(variant.width)
    load_arrays(module, arrays)
    module.eval()
    with torch.inference_mode():
        logits = module(variant.seen(samples.inputs)).logits
    return Balanced.of(logits.argmax(dim=1).numpy(), samples.labels.numpy())
