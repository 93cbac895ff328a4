"""One device at a time: the trainer that every faster one must agree with.

Minimises L = a(R) L_task + b(R) L_distill + g(R) L_align + d(R) L_resource (RA-CMKD, Cherian &
Manoov, "Core Loss Calculation"), plus FedProx's mu/2 ||w - w_t||^2 (Li et al., MLSys 2020, eq. 2).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgestill.config import LossConfig, TrainingConfig
from edgestill.knowledge import (
    Coefficients,
    KnowledgeBatch,
    align_loss,
    distill_loss,
    resource_loss,
    task_loss,
)
from edgestill.models import Arrays, Output, Variant, load_arrays, reduce_resolution
from edgestill.training.batches import Samples, batches

SMALLEST_BUDGET = 0.1
"""Share of the variant's operations that L_resource leaves even under full pressure."""

TERMS = ("task", "distill", "align", "resource")


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalWork:
    """What one device is to do in one round.

    Attributes:
        variant: the part of the model that it trains.
        epochs: passes over its own samples.
        coefficients: the weights of the loss's terms at its resources.
        pressure: its resource pressure in 0..1; the budget of L_resource is what is left.
        proximal_mu: FedProx's mu, 0 for none.
        seed: of the order of samples and of dropout.
    """

    variant: Variant
    epochs: int
    coefficients: Coefficients
    pressure: float
    proximal_mu: float
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What came of it: the variant's arrays, steps taken, and each term's mean over the steps."""

    arrays: Arrays
    steps: int
    terms: dict[str, float]


def train(
    module: nn.Module,
    arrays: Arrays,
    samples: Samples,
    knowledge: KnowledgeBatch | None,
    work: LocalWork,
    training: TrainingConfig,
    loss: LossConfig,
) -> Trained:
    """Train a variant from ``arrays`` on a device's own samples and on the teacher's knowledge.

    Each epoch sees every own sample and every knowledge sample once, in as many steps as the own
    samples need at the configured batch size.

    Args:
        module: a module of the variant's width; its state is overwritten.
        arrays: name to float32 array, at least those of the variant.
        samples: the device's own samples, at least one.
        knowledge: public samples with the teacher's outputs, or None.
        work: what to do.
        training: batch size and optimiser.
        loss: temperatures and the weight of the feature term.
    """
    load_arrays(module, arrays)
    module.train()
    objective = _Objective(module, work, loss)
    optimizer = torch.optim.SGD(
        objective.parameters.values(), lr=training.learning_rate, momentum=training.momentum
    )
    own = _OwnData(samples, work.variant)
    public = None if knowledge is None else _PublicData(knowledge, work.variant)
    steps_per_epoch = -(-len(samples) // training.batch_size)
    sums = dict.fromkeys(TERMS, 0.0)
    rng = np.random.default_rng(work.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(work.seed)
        for rows in _schedule(len(samples), public, work.epochs, steps_per_epoch, rng):
            terms = objective.terms(own, public, *rows)
            optimizer.zero_grad(set_to_none=True)
            objective.total(terms).backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(objective.parameters.values(), training.gradient_clip_norm)
            optimizer.step()
            for name, value in terms.items():
                sums[name] += float(value.detach())
    steps = work.epochs * steps_per_epoch
    state = module.state_dict()
    return Trained(
        arrays={name: state[name].detach().numpy().copy() for name in work.variant.shapes},
        steps=steps,
        terms={name: total / steps for name, total in sums.items()},
    )


Rows = NDArray[np.int64]


def _schedule(
    own: int, public: "_PublicData | None", epochs: int, steps: int, rng: np.random.Generator
) -> Iterator[tuple[Rows, Rows]]:
    """Yield each step's rows of the device's own samples and of the public ones."""
    for _ in range(epochs):
        own_rows = batches(own, steps, rng)
        public_rows = batches(0 if public is None else len(public.labels), steps, rng)
        yield from zip(own_rows, public_rows, strict=True)


class _OwnData:
    """The device's samples at the variant's resolution."""

    def __init__(self, samples: Samples, variant: Variant) -> None:
        self.samples = Samples(
            inputs=reduce_resolution(samples.inputs, variant.shares), labels=samples.labels
        )


class _PublicData:
    """Public samples at the variant's resolution, with the teacher's outputs."""

    def __init__(self, knowledge: KnowledgeBatch, variant: Variant) -> None:
        inputs = {kind: torch.from_numpy(array) for kind, array in knowledge.inputs.items()}
        self.inputs = reduce_resolution(inputs, variant.shares)
        self.labels = torch.from_numpy(knowledge.labels)
        self.logits = torch.from_numpy(knowledge.logits)
        self.embeddings = {
            kind: torch.from_numpy(knowledge.embeddings[kind]) for kind in self.inputs
        }


class _Objective:
    """The loss of one device in one round."""

    def __init__(self, module: nn.Module, work: LocalWork, loss: LossConfig) -> None:
        self._module = module
        self._work = work
        self._loss = loss
        self.parameters = {
            name: parameter
            for name, parameter in module.named_parameters()
            if name in work.variant.shapes
        }
        self._anchors = [parameter.detach().clone() for parameter in self.parameters.values()]

    def terms(
        self, own: _OwnData, public: _PublicData | None, own_rows: Rows, public_rows: Rows
    ) -> dict[str, Tensor]:
        """Return the four terms of one step, from one forward pass over both kinds of samples."""
        batch = own.samples.take(own_rows)
        if public is None or len(public_rows) == 0:
            output = self._module(batch.inputs)
            distill = torch.zeros(())
        else:
            picked = torch.from_numpy(public_rows)
            output = self._module(
                {
                    kind: torch.cat([tensor, public.inputs[kind][picked]])
                    for kind, tensor in batch.inputs.items()
                }
            )
            distill = self._distill(output, len(batch), public, picked)
        return {
            "task": task_loss(output.logits[: len(batch)], batch.labels),
            "distill": distill,
            "align": align_loss(output.embeddings, self._loss.contrastive_temperature),
            "resource": self._resource(output),
        }

    def total(self, terms: dict[str, Tensor]) -> Tensor:
        """Return the weighted sum of the terms, with FedProx's proximal term."""
        weights = self._work.coefficients
        total = sum(
            (getattr(weights, name) * value for name, value in terms.items()), torch.zeros(())
        )
        if self._work.proximal_mu:
            pairs = zip(self.parameters.values(), self._anchors, strict=True)
            distance = sum(((now - start).square().sum() for now, start in pairs), torch.zeros(()))
            total = total + self._work.proximal_mu / 2 * distance
        return total

    def _distill(self, output: Output, own: int, public: _PublicData, picked: Tensor) -> Tensor:
        return distill_loss(
            output.logits[own:],
            public.logits[picked],
            {kind: embedding[own:] for kind, embedding in output.embeddings.items()},
            {kind: embedding[picked] for kind, embedding in public.embeddings.items()},
            temperature=self._loss.temperature,
            feature_weight=self._loss.feature,
        )

    def _resource(self, output: Output) -> Tensor:
        """Expected forward operations under the fusion's gates, against what pressure leaves."""
        flops = self._work.variant.kind_flops
        expected = sum((gate * flops[kind] for kind, gate in output.gates.items()), torch.zeros(()))
        budget = max(1.0 - self._work.pressure, SMALLEST_BUDGET) * sum(flops.values())
        return resource_loss(expected.reshape(1), torch.tensor([budget]))
