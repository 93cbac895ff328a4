"""Whose students are trained, and on what each is tested as the user's own data.

- ``affect``: a device is one private user. The last half of the user's samples is held out; on it
  the personal student is tested: the same person, other moments.
- ``av_digits``: a device's samples have their own mix of digits (a Dirichlet partition), and come
  from many voices, so there is no user to hold out. The personal test is the accuracy on the test
  split with each class weighted by its share on the device: the user's own mix of digits, from
  voices that nobody trained on.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgestill.data import Dataset
from edgestill.federation import World
from edgestill.seeds import generator

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One device's user.

    Attributes:
        own: rows that the device trains on.
        tested: rows of the personal test.
        weights: of these rows, with sum 1.
        unseen: as many rows as ``own``, of the same kind, that no device here trains on; for the
            membership attack.
    """

    own: Rows
    tested: Rows
    weights: NDArray[np.float64]
    unseen: Rows


def people_of(world: World, devices: int, own: int, *, split: str = "test") -> list[Person]:
    """Return the users of some devices, drawn by the run's seed.

    Args:
        world: with its private part dealt.
        devices: how many.
        own: samples that each trains on; devices with fewer do not take part.
        split: on which devices without held-out rows are tested.
    """
    order = generator(world.config.seed, "people").permutation(len(world.owned)).tolist()
    able = [device for device in order if world.owned.size_of(device) >= own]
    taken, rest = able[:devices], able[devices:]
    if world.held_out is not None:
        return [_held_out(world.owned[one][:own], world.held_out[one]) for one in taken]
    others = np.concatenate([world.owned[one] for one in rest])
    return [_by_mix(world, _some(world, one, own), others, split) for one in taken]


def _held_out(own: Rows, held: Rows) -> Person:
    return Person(
        own=own, tested=held, weights=np.full(len(held), 1.0 / len(held)), unseen=held[: len(own)]
    )


def _by_mix(world: World, own: Rows, others: Rows, split: str) -> Person:
    dataset = world.dataset
    tested = dataset.splits[split]
    counts = np.bincount(dataset.labels[tested], minlength=dataset.classes)
    weights = (_mix(dataset, own) / np.maximum(counts, 1))[dataset.labels[tested]]
    return Person(
        own=own,
        tested=tested,
        weights=weights / weights.sum(),
        unseen=_alike(dataset, own, others),
    )


def _some(world: World, device: int, own: int) -> Rows:
    rng = generator(world.config.seed, "own", device=device)
    return np.sort(rng.choice(world.owned[device], own, replace=False))


def _mix(dataset: Dataset, rows: Rows) -> NDArray[np.float64]:
    return np.bincount(dataset.labels[rows], minlength=dataset.classes) / len(rows)


def _alike(dataset: Dataset, own: Rows, others: Rows) -> Rows:
    """Return rows of others with the labels of ``own``, one for each."""
    pools = {label: others[dataset.labels[others] == label] for label in range(dataset.classes)}
    taken = dict.fromkeys(pools, 0)
    rows = []
    for label in dataset.labels[own].tolist():
        rows.append(pools[label][taken[label] % len(pools[label])])
        taken[label] += 1
    return np.array(rows, np.int64)
