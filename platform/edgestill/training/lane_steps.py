"""The steps of one lane, from stacked parameters to what each device gets.

A lane has a fixed number of places. A device that has taken its last step hands its place to the
next one, so that all places work until there is nobody left.

Shape letters: T steps, L places, N numbers of one device's parameters, S rows of a step, of which
B own ones first; Q the four terms of the loss.
"""

import dataclasses
import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from edgestill.config import TrainingConfig
from edgestill.training.objective import budget_of
from edgestill.training.optimizer_state import STEPS, stacked_moments, steps_taken
from edgestill.training.optimizers import stacked_optimizer
from edgestill.training.private import gradient_noise
from edgestill.training.schedule import Schedule, expected_batch
from edgestill.training.stacking import Stacking
from edgestill.training.tables import tables
from edgestill.training.work import TERMS, LaneMember, Trained

Fields = dict[str, Tensor]


class Compute(Protocol):
    """A step's arithmetic: a :class:`StepFunction`, or the same as a traced program."""

    def __call__(self, fields: Fields) -> tuple[Tensor, Tensor]:
        """Return terms [L, Q] and gradients [L, N]."""


def places_of(steps: Sequence[int], count: int) -> list[list[int]]:
    """Deal devices to places: whoever has the most steps first, to the place free first."""
    queue = [(0, place) for place in range(count)]
    places: list[list[int]] = [[] for _ in range(count)]
    for index in sorted(range(len(steps)), key=lambda one: -steps[one]):
        busy_until, place = heapq.heappop(queue)
        places[place].append(index)
        heapq.heappush(queue, (busy_until + steps[index], place))
    return places


class LaneSteps:
    """Trains devices together.

    Args:
        compute: a step's arithmetic.
        stackings: of the parameters and of the buffers.
        members: the devices.
        schedules: theirs.
        sizes: own and public rows of a step.
        length: L, at least 2.
        training: optimiser.
        device: where to compute.
    """

    def __init__(
        self,
        compute: Compute,
        stackings: tuple[Stacking, Stacking],
        members: Sequence[LaneMember],
        schedules: Sequence[Schedule],
        sizes: tuple[int, int],
        length: int,
        training: TrainingConfig,
        device: torch.device,
    ) -> None:
        self._compute, self._training, self._own = compute, training, sizes[0]
        self._stacking, self._buffers = stackings
        self._members, self._schedules, self._device = members, schedules, device
        self._steps = [one.steps for one in schedules]
        places = places_of(self._steps, length)
        # Places that stay empty repeat another's work.
        self._places = [place or places[0] for place in places]
        self._private = members[0].work.sample_privacy is not None
        self._proximal = any(one.work.proximal_mu for one in members)
        self._ends = {
            (place, sum(self._steps[one] for one in devices[: turn + 1]) - 1): turn
            for place, devices in enumerate(places)
            for turn in range(len(devices))
        }
        works = [one.work for one in members]
        self._tables = tables(members, schedules, self._places, sizes, device)
        self._starts = _Start(
            parameters=self._stacking.stack([one.arrays for one in members], device),
            buffers=self._buffers.stack([one.arrays for one in members], device),
            moments=stacked_moments(self._stacking, works, training, device),
            taken=torch.tensor([steps_taken(one.optimizer) for one in works], device=device),
            weights=torch.tensor(
                [[getattr(one.coefficients, name) for name in TERMS] for one in works],
                device=device,
            ),
            budget=torch.tensor(
                [budget_of(one.variant, one.pressure) for one in works], device=device
            ),
            proximal_mu=torch.tensor([one.proximal_mu for one in works], device=device),
            share=torch.tensor(
                [1.0 / expected_batch(len(one.samples), training.batch_size) for one in members],
                device=device,
            ),
        )
        first = torch.tensor([devices[0] for devices in self._places], device=device)
        self._now = self._starts.of(first)
        self._anchors_LN = self._now.parameters.clone()
        self._optimizer = stacked_optimizer(training, self._now.moments)
        self._sums_LQ = torch.zeros(length, len(TERMS), dtype=torch.float64, device=device)

    def run(self) -> list[Trained]:
        """Take all steps and return what came of each member."""
        trained: dict[int, Trained] = {}
        for step in range(len(self._tables.rows_TLS)):
            self._step(step)
            for place, devices in enumerate(self._places):
                turn = self._ends.get((place, step))
                if turn is None:
                    continue
                trained[devices[turn]] = self._trained(place, devices[turn])
                if turn + 1 < len(devices):
                    self._seat(place, devices[turn + 1])
        return [trained[index] for index in range(len(self._members))]

    def _seat(self, place: int, member: int) -> None:
        """Give a place to the next device."""
        self._now.copy(place, self._starts, member)
        self._anchors_LN[place] = self._starts.parameters[member]
        self._sums_LQ[place] = 0.0

    def _step(self, step: int) -> None:
        now = self._now
        terms_LQ, gradients_LN = self._compute(self.fields(step))  # noqa: N806
        self._sums_LQ += terms_LQ
        if self._proximal:
            # The gradient of FedProx's term.
            drift_LN = now.parameters - self._anchors_LN  # noqa: N806
            gradients_LN.addcmul_(now.proximal_mu[:, None], drift_LN)
        norms_L = torch.linalg.vector_norm(gradients_LN, dim=1)  # noqa: N806
        # As torch.nn.utils.clip_grad_norm_ scales.
        scales_L = (self._training.gradient_clip_norm / (norms_L + 1e-6)).clamp(max=1.0)  # noqa: N806
        gradients_LN.mul_(scales_L.unsqueeze(1))
        self._optimizer.step(now.parameters, gradients_LN, now.taken)
        now.taken.add_(1)

    def fields(self, step: int) -> Fields:
        """Return what a step's arithmetic takes."""
        seen, now = self._tables, self._now
        rows_LS = seen.rows_TLS[step]  # noqa: N806
        fields = {
            "parameters": now.parameters,
            "buffers": now.buffers,
            "weights": now.weights,
            "budget": now.budget,
            "keys": seen.keys_TL2[step],
            "present": seen.present_TLS[step],
            "identities": seen.identities_TLS[step],
            "labels": _gathered(seen.labels, rows_LS),
        }
        for kind, pool in seen.inputs.items():
            fields[f"input/{kind}"] = _gathered(pool, rows_LS)
        if seen.logits is not None:
            taught_LP = rows_LS[:, self._own :] - seen.first_public  # noqa: N806
            fields["logits"] = _gathered(seen.logits, taught_LP)
            if seen.relevance is not None:
                fields["relevance"] = _gathered(seen.relevance, taught_LP)
            for kind, pool in seen.embeddings.items():
                fields[f"embedding/{kind}"] = _gathered(pool, taught_LP)
        if self._private:
            fields["share"] = now.share
            fields["noise"] = self._noise(step)
        return fields

    def _noise(self, step: int) -> Tensor:
        """Return each place's noise [L, N] of its device's own step."""
        drawn = []
        for devices in self._places:
            own_step, turn = step, 0
            while own_step >= self._steps[devices[turn]] and turn + 1 < len(devices):
                own_step -= self._steps[devices[turn]]
                turn += 1
            drawn.append(gradient_noise(self._members[devices[turn]].work, own_step))
        return self._stacking.stack(drawn, self._device)

    def _trained(self, place: int, member: int) -> Trained:
        steps, now = self._steps[member], self._now
        sums = self._sums_LQ[place].tolist()
        optimizer = {}
        if self._training.keep_optimizer:
            optimizer = {
                f"{moment}/{name}": array
                for moment, rows_LN in now.moments.items()
                for name, array in self._stacking.arrays(rows_LN[place]).items()
            } | {STEPS: now.taken[place].cpu().numpy().astype(np.float32)}
        return Trained(
            arrays={
                **self._stacking.arrays(now.parameters[place]),
                **self._buffers.arrays(now.buffers[place]),
            },
            steps=steps,
            terms={name: total / steps for name, total in zip(TERMS, sums, strict=True)},
            optimizer=optimizer,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Start:
    """What differs from device to device, a row each."""

    parameters: Tensor
    buffers: Tensor
    moments: dict[str, Tensor]
    taken: Tensor
    weights: Tensor
    budget: Tensor
    proximal_mu: Tensor
    share: Tensor

    def of(self, members: Tensor) -> "_Start":
        """Return copies of some devices' rows."""
        moments = {name: rows[members] for name, rows in self.moments.items()}
        return _Start(moments=moments, **{name: rows[members] for name, rows in self._plain()})

    def copy(self, place: int, other: "_Start", member: int) -> None:
        """Overwrite one row by another's."""
        for (_, mine), (_, rows) in zip(self._plain(), other._plain(), strict=True):
            mine[place] = rows[member]
        for name, rows in self.moments.items():
            rows[place] = other.moments[name][member]

    def _plain(self) -> list[tuple[str, Tensor]]:
        names = (one.name for one in dataclasses.fields(self) if one.name != "moments")
        return [(name, getattr(self, name)) for name in names]


def _gathered(pool: Tensor, rows_LS: Tensor) -> Tensor:  # noqa: N803
    """Return the pool's rows as [L, S, ...]."""
    return pool.index_select(0, rows_LS.flatten()).view(*rows_LS.shape, *pool.shape[1:])
