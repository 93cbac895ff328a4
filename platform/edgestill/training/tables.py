"""What the devices of a lane see at each step, as tables of row numbers.

Shape letters: T steps, L places of a lane, B own rows and P public rows of a step, S = B + P.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgestill.training.schedule import Rows, Schedule
from edgestill.training.streams import AUGMENTATION, FORWARD, step_key
from edgestill.training.work import LaneMember


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """All samples of a lane in one pool, and which of them are whose at which step.

    Attributes:
        inputs: kind to [all samples, *shape] at the variant's resolution: every device's own, then
            every device's public ones.
        labels: [all samples].
        logits: the teacher's, [all public samples, K]; None where no device has any.
        embeddings: the teacher's, kind to [all public samples, D].
        relevance: [all public samples]; None where all count the same.
        first_public: number of own samples in the pool.
        rows_TLS: int64 into the pool; the filling repeats a device's first sample.
        present_TLS: 1.0, and 0.0 for filling.
        identities_TLS: int64, a sample's number within its device, own ones first.
        keys_TL2: int64, of the streams of the forward pass and of augmentation.
    """

    inputs: dict[str, Tensor]
    labels: Tensor
    logits: Tensor | None
    embeddings: dict[str, Tensor]
    relevance: Tensor | None
    first_public: int
    rows_TLS: Tensor  # noqa: N815 - shape letters
    present_TLS: Tensor  # noqa: N815 - shape letters
    identities_TLS: Tensor  # noqa: N815 - shape letters
    keys_TL2: Tensor  # noqa: N815 - shape letters


def tables(
    members: Sequence[LaneMember],
    schedules: Sequence[Schedule],
    places: Sequence[Sequence[int]],
    sizes: tuple[int, int],
    device: torch.device,
) -> Tables:
    """Lay out the samples of a lane whose steps have ``sizes`` = (B, P) rows.

    ``places`` holds, for each place, the devices that take it one after the other.
    """
    variant = members[0].work.variant
    own = [len(member.samples) for member in members]
    public = [0 if member.knowledge is None else len(member.knowledge) for member in members]
    batches = [one.knowledge for one in members if one.knowledge is not None and len(one.knowledge)]
    inputs = {
        kind: torch.cat(
            [one.samples.inputs[kind] for one in members]
            + [torch.from_numpy(batch.inputs[kind]) for batch in batches]
        ).to(device)
        for kind in variant.shares
    }
    labels = [one.samples.labels for one in members] + [torch.from_numpy(b.labels) for b in batches]
    kinds = variant.shares if batches else ()
    # All members of a lane have it, or none.
    relevance = [batch.relevance for batch in batches if batch.relevance is not None]
    rows, present, identities = _dealt(schedules, places, sizes, own, public)
    return Tables(
        inputs=variant.seen(inputs),
        labels=torch.cat(labels).to(device),
        logits=_stacked([batch.logits for batch in batches], device) if batches else None,
        embeddings={
            kind: _stacked([batch.embeddings[kind] for batch in batches], device) for kind in kinds
        },
        relevance=_stacked(relevance, device) if relevance else None,
        first_public=sum(own),
        rows_TLS=torch.from_numpy(rows).to(device),
        present_TLS=torch.from_numpy(present).to(device),
        identities_TLS=torch.from_numpy(identities).to(device),
        keys_TL2=torch.from_numpy(_keys(members, schedules, places, len(rows))).to(device),
    )


def _stacked(arrays: Sequence[NDArray[np.float32]], device: torch.device) -> Tensor:
    return torch.from_numpy(np.concatenate(arrays)).to(device)


def _dealt(
    schedules: Sequence[Schedule],
    places: Sequence[Sequence[int]],
    sizes: tuple[int, int],
    own: list[int],
    public: list[int],
) -> tuple[Rows, NDArray[np.float32], Rows]:
    steps = max(sum(schedules[one].steps for one in place) for place in places)
    shape = (steps, len(places), sum(sizes))
    rows, present = np.zeros(shape, np.int64), np.zeros(shape, np.float32)
    # The filling's public part must not point at own samples.
    rows[:, :, sizes[0] :] = sum(own)
    identities = np.zeros(shape, np.int64)
    own_starts = np.cumsum([0, *own])
    public_starts = own_starts[-1] + np.cumsum([0, *public])
    for place, devices in enumerate(places):
        step = 0
        for device in devices:
            one = schedules[device]
            rows[step : step + one.steps, place, : sizes[0]] = own_starts[device]
            for taken, taught in zip(one.own, one.public, strict=True):
                for first, number, picked in (
                    (0, own_starts[device], taken),
                    (sizes[0], public_starts[device], taught),
                ):
                    if not len(picked):
                        continue
                    side = slice(first, first + len(picked))
                    rows[step, place, side] = number + picked
                    present[step, place, side] = 1.0
                    identities[step, place, side] = picked + (own[device] if first else 0)
                step += 1
    return rows, present, identities


def _keys(
    members: Sequence[LaneMember],
    schedules: Sequence[Schedule],
    places: Sequence[Sequence[int]],
    steps: int,
) -> Rows:
    keys = np.zeros((steps, len(places), 2), np.int64)
    for place, devices in enumerate(places):
        step = 0
        for device in devices:
            for own_step in range(schedules[device].steps):
                for side, purpose in enumerate((FORWARD, AUGMENTATION)):
                    keys[step, place, side] = step_key(members[device].work.seed, own_step, purpose)
                step += 1
    return keys
