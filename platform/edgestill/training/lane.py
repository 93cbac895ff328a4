"""Many devices' training at once: one vectorized call per step for all devices of a lane.

Devices whose work has one shape form a lane. Their parameters are rows of one matrix, their forward
pass is one ``torch.func.vmap`` over the user's unmodified module, its layers in the forms of
:mod:`edgestill.training.forms`; the backward pass is plain autograd on the batched operations below
it. Each device gets what :func:`edgestill.training.train` gives it alone, up to rounding, and the
same bits in any company: what is shared (padded sizes, forms) depends on the device alone, and no
lane has length 1, for which torch takes other paths.

Shape letters: L lanes (devices), N numbers of one device's parameters, S rows of a step, of which
B own ones first.
"""

import math
from collections.abc import Hashable, Sequence

import torch
from torch import nn

from edgestill.config import LossConfig, TrainingConfig
from edgestill.models import Variant
from edgestill.training.computing import compute_for
from edgestill.training.lane_steps import Compute, LaneSteps
from edgestill.training.refusal import structural_refusal, tried_refusal
from edgestill.training.schedule import longest_rows, schedule
from edgestill.training.step_function import StepFunction
from edgestill.training.work import LaneMember, Trained

CPU = torch.device("cpu")
FEW = 2
"""Devices whose first step stands for all when lanes are measured."""


def lane_key(member: LaneMember, training: TrainingConfig) -> Hashable:
    """Return what members of one lane have in common: variant, padded sizes, kind of training."""
    public = 0 if member.knowledge is None else len(member.knowledge)
    longest = longest_rows(len(member.samples), public, member.work, training.batch_size)
    return _key(member, longest, training)


def train_lane(
    module: nn.Module,
    members: Sequence[LaneMember],
    training: TrainingConfig,
    loss: LossConfig,
    *,
    device: torch.device = CPU,
) -> list[Trained]:
    """Train devices together; each as :func:`edgestill.training.train` would, in order.

    Args:
        module: of the variant's width, one that :func:`lane_refusal` does not refuse.
        members: any number, of one :func:`lane_key`.
        training: batch size and optimiser.
        loss: temperatures and the weight of the feature term.
        device: where to compute.

    Raises:
        ValueError: members of different keys.
    """
    dealt = [
        schedule(
            len(one.samples),
            0 if one.knowledge is None else len(one.knowledge),
            one.work,
            training.batch_size,
        )
        for one in members
    ]
    if not members:
        return []
    keys = {_key(one, steps.longest, training) for one, steps in zip(members, dealt, strict=True)}
    if len(keys) > 1:
        raise ValueError(f"members of {len(keys)} lane keys; expected those of one")
    module.train()
    privacy, sizes = members[0].work.sample_privacy, padded_sizes(dealt[0].longest, training)
    function = StepFunction(
        module,
        members[0].work.variant,
        sizes[0],
        None if privacy is None else privacy.clip_norm,
        training,
        loss,
    )
    stackings = function.parameters, function.buffers

    def steps(compute: Compute, some: slice, length: int) -> LaneSteps:
        return LaneSteps(
            compute, stackings, members[some], dealt[some], sizes, length, training, device
        )

    compute, length = compute_for(
        function,
        module,
        (*keys, training, loss, device),
        dealt,
        lambda: steps(function, slice(FEW), FEW).fields(0),
    )
    return steps(compute, slice(None), length).run()


def padded_sizes(longest: tuple[int, int], training: TrainingConfig) -> tuple[int, int]:
    """Return the own and the public rows of each of a device's steps, filling included."""
    own, public = longest
    # Poisson sampling may draw more than a batch, or nothing at all.
    most = math.ceil(max(own, training.batch_size) / 4)
    return 4 * min(_quads(max(own, 1)), most), 4 * _quads(public)


def _quads(count: int) -> int:
    """Return the fours that hold ``count`` rows: the next of 0, 1, 2, 3, 4, 6, 8, 12, 16, 24...

    Matrix products give other bits where a matrix begins at another place within 16 bytes. With
    whole fours of rows, each device's matrices begin at the same one.
    """
    quads = math.ceil(count / 4)
    power = 1 << max(quads - 1, 0).bit_length()
    if quads > 2 and quads <= power * 3 // 4:
        return power * 3 // 4
    return power if quads else 0


def _key(member: LaneMember, longest: tuple[int, int], training: TrainingConfig) -> Hashable:
    return (
        *_variant_key(member.work.variant),
        padded_sizes(longest, training),
        member.work.sample_privacy,
        _weighted(member),
    )


def _weighted(member: LaneMember) -> bool:
    return member.knowledge is not None and member.knowledge.relevance is not None


def _variant_key(variant: Variant) -> tuple[Hashable, ...]:
    return (
        variant.width,
        tuple(sorted(variant.shares.items())),
        tuple(sorted(variant.shapes.items())),
    )


def lane_refusal(module: nn.Module, member: LaneMember | None = None) -> str | None:
    """Return why a model cannot be trained in lanes, in one line; None if it can.

    Without a member only what can be seen in the module's parts. With one, two small steps are also
    tried, once in a process for each variant, with and without knowledge, and with and without
    weights of its samples: whether they run, and agree with the reference.
    """
    if member is None:
        return structural_refusal(module)
    key = (_variant_key(member.work.variant), member.knowledge is not None, _weighted(member))
    return tried_refusal(module, member, key, train_lane)
