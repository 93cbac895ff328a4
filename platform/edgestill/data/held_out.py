"""Rows that a device keeps from its own training, to be tested on by itself."""

import numpy as np
from numpy.typing import NDArray

from edgestill.data.owned import Dealt, Owned
from edgestill.errors import ConfigurationError
from edgestill.seeds import generator


def hold_out(
    owned: Owned, share: float, *, users: NDArray[np.int64] | None, seed: int
) -> tuple[Dealt, Dealt]:
    """Return what each device trains on, and what it never does.

    Args:
        owned: what each device holds.
        share: of the rows that is held out, 0 up to but not 1; rounded down, so that something is
            left to train on.
        users: int64 [n], of each position: the last rows of each user are held out. None: rows of
            each device, drawn.
        seed: of the draw.

    Raises:
        ConfigurationError: devices share rows, so that what one holds out another may train on.
    """
    if not isinstance(owned, Dealt):
        raise ConfigurationError(
            "evaluation.held_out_share: devices share samples under data.partition.kind draw, so "
            "none can hold any out; expected 0, or another kind"
        )
    rows = owned.rows.astype(np.int64)
    device = np.repeat(np.arange(len(owned)), np.diff(owned.offsets))
    if users is None:
        held = _last(device, generator(seed, "held-out").permutation(len(rows)), share)
    else:
        held = _last(users[rows], rows, share)
    return _kept(owned, device, ~held), _kept(owned, device, held)


def _last(group: NDArray[np.int64], place: NDArray[np.int64], share: float) -> NDArray[np.bool_]:
    """Return which entries [n] are among the last of their group by place."""
    order = np.lexsort((place, group))
    _, first, inverse, sizes = np.unique(
        group[order], return_index=True, return_inverse=True, return_counts=True
    )
    rank = np.arange(len(order)) - first[inverse]
    held = np.empty(len(order), np.bool_)
    held[order] = rank >= (sizes - np.floor(share * sizes).astype(np.int64))[inverse]
    return held


def _kept(owned: Dealt, device: NDArray[np.int64], kept: NDArray[np.bool_]) -> Dealt:
    counts = np.bincount(device[kept], minlength=len(owned))
    offsets = np.concatenate(([0], np.cumsum(counts, dtype=np.int64)))
    return Dealt(rows=owned.rows[kept], offsets=offsets)
