"""One device at a time: the trainer that every faster one must agree with.

Minimises L = a(R) L_task + b(R) L_distill + g(R) L_align + d(R) L_resource (RA-CMKD, Cherian &
Manoov, "Core Loss Calculation"), plus FedProx's mu/2 ||w - w_t||^2 (Li et al., MLSys 2020, eq. 2).
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from edgestill.config import LossConfig, TrainingConfig
from edgestill.knowledge import KnowledgeBatch
from edgestill.models import Arrays, Variant, load_arrays
from edgestill.training.augmentation import augmented
from edgestill.training.batches import Samples
from edgestill.training.interception import Interception
from edgestill.training.objective import Targets, budget_of, loss_terms
from edgestill.training.optimizer_state import build_optimizer, kept_state, steps_taken
from edgestill.training.private import SMALLEST_NORM, gradient_noise
from edgestill.training.schedule import Rows, expected_batch, schedule
from edgestill.training.streams import AUGMENTATION, FORWARD, Streams, step_key
from edgestill.training.work import TERMS, LocalWork, SamplePrivacy, Trained


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
    device = _Device(module, samples, knowledge, work, training, loss)
    optimizer = build_optimizer(device.parameters, work, training)
    dealt = schedule(len(samples), device.public_count, work, training.batch_size)
    sums = dict.fromkeys(TERMS, 0.0)
    # Functions that have no stream of their own draw from torch's, which stays where it was.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(work.seed)
        for step, rows in enumerate(zip(dealt.own, dealt.public, strict=True)):
            terms = device.differentiate(step, *rows)
            nn.utils.clip_grad_norm_(device.parameters.values(), training.gradient_clip_norm)
            optimizer.step()
            for name, value in terms.items():
                sums[name] += float(value.detach())
    state = module.state_dict()
    return Trained(
        arrays={name: state[name].detach().numpy().copy() for name in work.variant.shapes},
        steps=dealt.steps,
        terms={name: total / dealt.steps for name, total in sums.items()},
        optimizer=kept_state(
            optimizer, device.parameters, training, steps_taken(work.optimizer) + dealt.steps
        ),
    )


class _Device:
    """The samples and the loss of one device in one round."""

    def __init__(
        self,
        module: nn.Module,
        samples: Samples,
        knowledge: KnowledgeBatch | None,
        work: LocalWork,
        training: TrainingConfig,
        loss: LossConfig,
    ) -> None:
        self._module, self._work, self._training, self._loss = module, work, training, loss
        self.parameters = {
            name: parameter
            for name, parameter in module.named_parameters()
            if name in work.variant.shapes
        }
        self._anchors = [parameter.detach().clone() for parameter in self.parameters.values()]
        self._own = Samples(inputs=work.variant.seen(samples.inputs), labels=samples.labels)
        self._public = _Public(knowledge, work.variant) if knowledge else None
        self._budget = torch.tensor(budget_of(work.variant, work.pressure))

    @property
    def public_count(self) -> int:
        """Number of public samples."""
        return 0 if self._public is None else len(self._public.labels)

    def differentiate(self, step: int, own: Rows, public: Rows) -> dict[str, Tensor]:
        """Leave the gradients of one step in the parameters and return its four terms."""
        self._module.zero_grad(set_to_none=True)
        if self._work.sample_privacy is not None:
            return self._differentiate_privately(self._work.sample_privacy, step, own, public)
        terms = self._terms(step, own, public)
        self._add_gradients(self._total(terms))
        return terms

    def _differentiate_privately(
        self, privacy: SamplePrivacy, step: int, own: Rows, public: Rows
    ) -> dict[str, Tensor]:
        """Add the clipped gradients of own samples, one by one, noise, and the public gradient.

        See :mod:`edgestill.training.private`.
        """
        total = [torch.zeros_like(one) for one in self.parameters.values()]
        for row in own:
            task = self._terms(step, own[own == row], public[:0])["task"]
            gradients = self._gradients(self._work.coefficients.task * task)
            norm = torch.linalg.vector_norm(torch.stack([one.norm() for one in gradients]))
            scale = (privacy.clip_norm / norm.clamp(min=SMALLEST_NORM)).clamp(max=1.0)
            total = [held + scale * one for held, one in zip(total, gradients, strict=True)]
        noise = gradient_noise(self._work, step)
        share = 1.0 / expected_batch(len(self._own), self._training.batch_size)
        terms = dict.fromkeys(TERMS, torch.zeros(()))
        if len(public):
            terms = self._terms(step, own[:0], public)
        self._add_gradients(self._total({**terms, "task": torch.zeros(())}))
        for (name, one), held in zip(self.parameters.items(), total, strict=True):
            private = share * (held + torch.from_numpy(noise[name]))
            one.grad = private if one.grad is None else one.grad + private
        return terms

    def _add_gradients(self, total: Tensor) -> None:
        for one, gradient in zip(self.parameters.values(), self._gradients(total), strict=True):
            one.grad = gradient

    def _gradients(self, total: Tensor) -> tuple[Tensor, ...]:
        if not total.requires_grad:
            return tuple(torch.zeros_like(one) for one in self.parameters.values())
        return torch.autograd.grad(
            total, list(self.parameters.values()), allow_unused=True, materialize_grads=True
        )

    def _terms(self, step: int, own: Rows, public: Rows) -> dict[str, Tensor]:
        """Return the four terms of one step, from one forward pass over both kinds of samples."""
        identities = torch.from_numpy(np.concatenate([own, len(self._own) + public]))
        batch = self._own.take(own)
        streams = self._streams(step, AUGMENTATION, identities[: len(own)])
        inputs = augmented(batch.inputs, self._training.augmentation, streams)
        targets = Targets(labels=batch.labels, own=len(own))
        if self._public is not None and len(public):
            inputs, targets = self._public.beside(inputs, batch.labels, public)
        with Interception(self._streams(step, FORWARD, identities).table()):
            output = self._module(inputs)
        return loss_terms(output, targets, self._work.variant, self._budget, self._loss)

    def _streams(self, step: int, purpose: int, identities: Tensor) -> Streams:
        return Streams(torch.tensor(step_key(self._work.seed, step, purpose)), identities)

    def _total(self, terms: Mapping[str, Tensor]) -> Tensor:
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


class _Public:
    """Public samples at the variant's resolution, with the teacher's outputs."""

    def __init__(self, knowledge: KnowledgeBatch, variant: Variant) -> None:
        inputs = {kind: torch.from_numpy(array) for kind, array in knowledge.inputs.items()}
        self.inputs = variant.seen(inputs)
        self.labels = torch.from_numpy(knowledge.labels)
        self.logits = torch.from_numpy(knowledge.logits)
        given = knowledge.relevance
        self.relevance = None if given is None else torch.from_numpy(given)
        self.embeddings = {
            kind: torch.from_numpy(knowledge.embeddings[kind]) for kind in self.inputs
        }

    def beside(
        self, own: Mapping[str, Tensor], labels: Tensor, rows: Rows
    ) -> tuple[dict[str, Tensor], Targets]:
        """Return inputs of own and public rows, and the targets of both."""
        picked = torch.from_numpy(rows)
        inputs = {kind: torch.cat([own[kind], self.inputs[kind][picked]]) for kind in own}
        targets = Targets(
            labels=torch.cat([labels, self.labels[picked]]),
            own=len(labels),
            logits=self.logits[picked],
            embeddings={kind: table[picked] for kind, table in self.embeddings.items()},
            relevance=None if self.relevance is None else self.relevance[picked],
        )
        return inputs, targets
