"""Deal samples to devices: each to exactly one, or drawn so that devices share them."""

import heapq

import numpy as np
from numpy.typing import NDArray

from edgestill.config import PartitionConfig
from edgestill.data.owned import Dealt, Drawn, Owned
from edgestill.errors import ConfigurationError
from edgestill.seeds import generator

Owners = NDArray[np.int64]
"""The device of each sample [n]."""


def partition(
    config: PartitionConfig,
    *,
    labels: NDArray[np.int64],
    users: NDArray[np.int64] | None,
    devices: int,
    seed: int,
) -> Owned:
    """Return, by device, the sorted positions in ``labels`` that are its own; it may have none.

    - ``iid``: shuffled and cut evenly.
    - ``dirichlet``: each label's samples are shared out by proportions drawn from Dir(alpha)
      (Yurochkin et al., ICML 2019; Hsu et al., arXiv 1909.06335); small alpha, few labels each.
    - ``shards``: sorted by label, cut into shards, ``shards_per_device`` dealt to each device
      (McMahan et al., AISTATS 2017, section 3).
    - ``user``: whole users, the heaviest first to the device with the fewest samples.
    - ``draw``: ``samples_per_device`` for each device, drawn uniformly when asked for; devices may
      share samples, so there may be more devices than samples.

    Args:
        config: the kind and its parameter.
        labels: int64 [n].
        users: int64 [n], or None when the data set knows no users.
        devices: how many devices, at least 1.
        seed: the run's seed.

    Raises:
        ConfigurationError: no devices, more samples to draw than there are, or kind ``user``
            without users.
    """
    if devices < 1:
        raise ConfigurationError(f"fleet.devices: got {devices}; expected at least 1")
    if config.kind == "draw":
        return _drawn(config.samples_per_device, len(labels), devices, seed)
    rng = generator(seed, f"partition/{config.kind}")
    match config.kind:
        case "iid":
            owner = _iid(len(labels), devices, rng)
        case "dirichlet":
            owner = _dirichlet(labels, devices, config.alpha, rng)
        case "shards":
            owner = _shards(labels, devices, config.shards_per_device, rng)
        case "user":
            owner = _by_user(users, devices, rng)
    return Dealt.of(owner, devices)


def _drawn(per_device: int, samples: int, devices: int, seed: int) -> Drawn:
    if per_device > samples:
        raise ConfigurationError(
            f"data.partition.samples_per_device: {per_device} for each device, but there are only "
            f"{samples} private samples"
        )
    return Drawn(rows=np.arange(samples), devices=devices, per_device=per_device, seed=seed)


def _iid(samples: int, devices: int, rng: np.random.Generator) -> Owners:
    owner = np.empty(samples, np.int64)
    sizes = np.full(devices, samples // devices)
    sizes[: samples % devices] += 1
    owner[rng.permutation(samples)] = np.repeat(np.arange(devices), sizes)
    return owner


def _dirichlet(
    labels: NDArray[np.int64], devices: int, alpha: float, rng: np.random.Generator
) -> Owners:
    owner = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        positions = rng.permutation(np.flatnonzero(labels == label))
        shares = rng.dirichlet(np.full(devices, alpha))
        ends = np.floor(np.cumsum(shares) * len(positions)).astype(np.int64)
        # The last end is n whatever rounding did to the sum of the shares.
        ends[-1] = len(positions)
        owner[positions] = np.searchsorted(ends, np.arange(len(positions)), side="right")
    return owner


def _shards(
    labels: NDArray[np.int64], devices: int, per_device: int, rng: np.random.Generator
) -> Owners:
    shuffled = rng.permutation(len(labels))
    by_label = shuffled[np.argsort(labels[shuffled], kind="stable")]
    count = devices * per_device
    shard = np.arange(len(labels)) * count // max(1, len(labels))
    owner = np.empty(len(labels), np.int64)
    owner[by_label] = rng.permutation(count)[shard] // per_device
    return owner


def _by_user(users: NDArray[np.int64] | None, devices: int, rng: np.random.Generator) -> Owners:
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
    return device_of[dense]
