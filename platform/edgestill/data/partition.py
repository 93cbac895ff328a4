"""Deal samples to devices. Each sample goes to exactly one device; a device may get none."""

import heapq

import numpy as np
from numpy.typing import NDArray

from edgestill.config import PartitionConfig
from edgestill.errors import ConfigurationError
from edgestill.seeds import generator

Positions = NDArray[np.int64]


def partition(
    config: PartitionConfig,
    *,
    labels: NDArray[np.int64],
    users: NDArray[np.int64] | None,
    devices: int,
    seed: int,
) -> list[Positions]:
    """Return, for each device, the sorted positions in ``labels`` that are its own.

    - ``iid``: shuffled and cut evenly.
    - ``dirichlet``: each label's samples are shared out by proportions drawn from Dir(alpha)
      (Yurochkin et al., ICML 2019; Hsu et al., arXiv 1909.06335); small alpha, few labels each.
    - ``shards``: sorted by label, cut into shards, ``shards_per_device`` dealt to each device
      (McMahan et al., AISTATS 2017, section 3).
    - ``user``: whole users, the heaviest first to the device with the fewest samples.

    Args:
        config: the kind and its parameter.
        labels: int64 [n].
        users: int64 [n], or None when the data set knows no users.
        devices: how many devices, at least 1.
        seed: the run's seed.

    Raises:
        ConfigurationError: no devices, or kind ``user`` without users.
    """
    if devices < 1:
        raise ConfigurationError(f"fleet.devices: got {devices}; expected at least 1")
    rng = generator(seed, f"partition/{config.kind}")
    match config.kind:
        case "iid":
            parts = np.array_split(rng.permutation(len(labels)), devices)
        case "dirichlet":
            parts = _dirichlet(labels, devices, config.alpha, rng)
        case "shards":
            parts = _shards(labels, devices, config.shards_per_device, rng)
        case "user":
            parts = _by_user(users, devices, rng)
    return [np.sort(part).astype(np.int64, copy=False) for part in parts]


def _dirichlet(
    labels: NDArray[np.int64], devices: int, alpha: float, rng: np.random.Generator
) -> list[Positions]:
    owner = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        positions = rng.permutation(np.flatnonzero(labels == label))
        shares = rng.dirichlet(np.full(devices, alpha))
        ends = np.floor(np.cumsum(shares) * len(positions)).astype(np.int64)
        # The last end is n whatever rounding did to the sum of the shares.
        ends[-1] = len(positions)
        owner[positions] = np.searchsorted(ends, np.arange(len(positions)), side="right")
    return _by_owner(owner, devices)


def _shards(
    labels: NDArray[np.int64], devices: int, per_device: int, rng: np.random.Generator
) -> list[Positions]:
    shuffled = rng.permutation(len(labels))
    by_label = shuffled[np.argsort(labels[shuffled], kind="stable")]
    count = devices * per_device
    shard = np.arange(len(labels)) * count // max(1, len(labels))
    owner = np.empty(len(labels), np.int64)
    owner[by_label] = rng.permutation(count)[shard] // per_device
    return _by_owner(owner, devices)


def _by_user(
    users: NDArray[np.int64] | None, devices: int, rng: np.random.Generator
) -> list[Positions]:
    if users is None:
        raise ConfigurationError(
            "data.partition.kind: user, but the data set has no users; "
            "expected a users file in its manifest, or iid, dirichlet or shards"
        )
    _, dense, counts = np.unique(users, return_inverse=True, return_counts=True)
    order = rng.permutation(len(counts))
    heaviest_first = order[np.argsort(-counts[order], kind="stable")]
    loads = [(0, device) for device in range(devices)]
    device_of = np.empty(len(counts), np.int64)
    for user in heaviest_first:
        load, device = loads[0]
        device_of[user] = device
        heapq.heapreplace(loads, (load + int(counts[user]), device))
    return _by_owner(device_of[dense], devices)


def _by_owner(owner: NDArray[np.int64], devices: int) -> list[Positions]:
    """Return the positions of each device, given each position's device."""
    order = np.argsort(owner, kind="stable")
    return np.split(order, np.cumsum(np.bincount(owner, minlength=devices))[:-1])
