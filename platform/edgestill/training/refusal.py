"""Which models cannot be trained in lanes, and why."""

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import nn

from edgestill.config import LossConfig, TrainingConfig
from edgestill.training.batches import Samples
from edgestill.training.sequential import train
from edgestill.training.work import LaneMember, Trained

TRIAL_SAMPLES, TRIAL_BATCH = 3, 2
"""Two steps, of two rows and of one, so that the second is filled up."""

TRIAL_COMPANY = 4
TOLERANCE = 1e-4

Trainer = Callable[..., list[Trained]]

_TRIED: WeakKeyDictionary[nn.Module, dict[Hashable, str | None]] = WeakKeyDictionary()


def structural_refusal(module: nn.Module) -> str | None:
    """Return why a model's parts rule lanes out, in one line; None if nothing is seen."""
    for name, part in module.named_modules():
        where = f"{name or 'the model'} ({type(part).__name__})"
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            return f"{where} mixes the samples of a batch; group normalisation would not"
        if getattr(part, "track_running_stats", False):
            return f"{where} keeps running statistics"
        if isinstance(part, nn.RNNBase):
            return f"{where} cannot be vectorized over devices"
    return None


def tried_refusal(
    module: nn.Module, member: LaneMember, key: Hashable, train_together: Trainer
) -> str | None:
    """Return why a model's parts rule lanes out, or why two small steps fail in one or differ.

    Tried once in a process for each module and ``key``.
    """
    tried = _TRIED.setdefault(module, {})
    if key not in tried:
        tried[key] = structural_refusal(module) or _trial(module, _small(member), train_together)
    return tried[key]


def _trial(module: nn.Module, member: LaneMember, train_together: Trainer) -> str | None:
    training, loss = TrainingConfig(batch_size=TRIAL_BATCH), LossConfig()
    alone = train(
        module, member.arrays, member.samples, member.knowledge, member.work, training, loss
    )
    try:
        together = train_together(module, [member], training, loss)[0]
        company = train_together(module, [*_others(member), member], training, loss)
    except (RuntimeError, ValueError, TypeError, NotImplementedError, IndexError) as error:
        return f"torch.func.vmap fails: {_first_line(error)}"
    for name, array in alone.arrays.items():
        difference = float(np.abs(together.arrays[name] - array).max(initial=0.0))
        if not difference <= TOLERANCE:
            return f"{name} differs by {difference:.1e} from the reference after two steps"
        if not np.array_equal(company[-1].arrays[name], together.arrays[name]):
            return f"{name} gets other bits in other company"
    return None


def _others(member: LaneMember) -> list[LaneMember]:
    return [
        replace(member, work=replace(member.work, seed=member.work.seed + number))
        for number in range(1, TRIAL_COMPANY)
    ]


def _small(member: LaneMember) -> LaneMember:
    """Return a member of few random samples, of the same shapes and public samples.

    These keep what each counts, since the losses take another path where samples are weighted.
    """
    stream = torch.Generator().manual_seed(0)
    inputs = {
        kind: torch.randn(TRIAL_SAMPLES, *values.shape[1:], generator=stream)
        for kind, values in member.samples.inputs.items()
    }
    labels = member.samples.labels[torch.arange(TRIAL_SAMPLES) % len(member.samples)]
    knowledge = member.knowledge
    return replace(
        member,
        samples=Samples(inputs=inputs, labels=labels),
        knowledge=None
        if knowledge is None
        else knowledge.at(np.arange(TRIAL_SAMPLES) % len(knowledge)),
        work=replace(member.work, epochs=1, optimizer={}, sample_privacy=None),
    )


def _first_line(error: Any) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
