"""Classification as a task of joint inference: outputs are logits.

Letters: B inputs, K classes.
"""

# Names end in shape letters.

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from edgestill.inference.answer import Answer, Tier
from edgestill.inference.gates import Answers, classified, fitted_temperature
from edgestill.inference.gates.answers import Floats

_SMOOTHING = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """One of K classes for each input.

    Attributes:
        classes: K.
        temperature: that probabilities are softened by, above 0 (Guo et al., ICML 2017); what
            distils has ``distillation_temperature``.
        distillation_temperature: tau.
        class_weights: K factors of each class's loss, for classes that must not be missed
            (recall boosting); None weighs all alike.
    """

    classes: int
    temperature: float = 1.0
    distillation_temperature: float = 2.0
    class_weights: tuple[float, ...] | None = None

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the cross-entropy of labels int64 [B], smoothed by 0.05."""
        weights = None if self.class_weights is None else torch.tensor(self.class_weights)
        return functional.cross_entropy(
            outputs, targets, weight=weights, label_smoothing=_SMOOTHING
        )

    def distillation(self, outputs: Tensor, teacher: Tensor) -> Tensor:
        """Return tau^2 KL(teacher || outputs) at tau (Hinton, Vinyals & Dean, 2015, section 2)."""
        tau = self.distillation_temperature
        divergence = functional.kl_div(
            functional.log_softmax(outputs / tau, dim=-1),
            functional.log_softmax(teacher / tau, dim=-1),
            reduction="batchmean",
            log_target=True,
        )
        return tau**2 * divergence

    def answers(self, outputs: Tensor) -> Answers:
        """Return each row's probabilities, softened by the temperature."""
        return classified(outputs.numpy(), self.temperature)

    def told(self, outputs: Tensor, by: Tier) -> list[Answer]:
        """Return each row's likeliest class with its probability."""
        probabilities = torch.softmax(outputs.double() / self.temperature, dim=-1)
        found = probabilities.max(dim=-1)
        return [
            Answer(by=by, label=label, confidence=min(1.0, confidence))
            for label, confidence in zip(found.indices.tolist(), found.values.tolist(), strict=True)
        ]

    def weights(self, targets: Tensor) -> None:
        """Every input counts alike."""

    def right(self, outputs: Tensor, targets: Tensor) -> Floats:
        """Return 1 for each right class, 0 for each wrong one."""
        return np.asarray((outputs.argmax(dim=-1) == targets).numpy(), np.float64)

    def score(self, outputs: Tensor, targets: Tensor) -> float:
        """Return the accuracy."""
        return float(self.right(outputs, targets).mean())

    def calibrated(self, outputs: Tensor, targets: Tensor) -> Self:
        """Return the task with the temperature that makes validation labels likeliest."""
        return replace(self, temperature=fitted_temperature(outputs.numpy(), targets.numpy()))

    def boosted(self, classes: Sequence[int], weight: float) -> Self:
        """Return the task with some classes weighed more; the weights' mean stays 1."""
        raised = np.ones(self.classes)
        raised[list(classes)] = weight
        return replace(self, class_weights=tuple((raised / raised.mean()).tolist()))
