"""What a device holds out of its own rows, to be tested on by itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgestill.config import PartitionConfig
from edgestill.data import hold_out, partition
from edgestill.errors import ConfigurationError

LABELS = np.arange(240) % 6
USERS = np.repeat(np.arange(100, 120), 12)


def dealt(kind, devices=20, users=USERS):
    return partition(
        PartitionConfig(kind=kind), labels=LABELS, users=users, devices=devices, seed=3
    )


@given(
    kind=st.sampled_from(["iid", "dirichlet", "shards", "user"]),
    share=st.floats(0.0, 0.9),
    devices=st.integers(1, 40),
)
def test_every_row_is_trained_on_or_held_out_by_its_own_device(kind, share, devices):
    owned = dealt(kind, devices)
    by_user = USERS if kind == "user" else None
    train, held = hold_out(owned, share, users=by_user, seed=1)
    for device in range(devices):
        assert not np.intersect1d(train[device], held[device]).size
        both = np.concatenate([train[device], held[device]])
        np.testing.assert_array_equal(np.sort(both), owned[device])
        assert train.size_of(device) == len(train[device])
        assert (np.diff(train[device]) > 0).all()
        if kind != "user":
            assert len(held[device]) == int(np.floor(share * len(owned[device])))
        assert owned.size_of(device) == 0 or train.size_of(device) >= 1


def test_of_each_user_the_last_rows_are_held_out():
    train, held = hold_out(dealt("user", devices=7), 0.25, users=USERS, seed=1)
    for user in np.unique(USERS):
        rows = np.flatnonzero(user == USERS)
        device = next(d for d in range(7) if np.isin(rows, train[d]).any())
        assert np.isin(rows[:9], train[device]).all()
        assert np.isin(rows[9:], held[device]).all()


def test_the_draw_depends_on_the_seed_alone():
    first, again, other = (
        [rows.tolist() for rows in hold_out(dealt("iid"), 0.5, users=None, seed=seed)[1]]
        for seed in (1, 1, 2)
    )
    assert first == again != other


def test_devices_that_share_rows_can_hold_none_out():
    config = PartitionConfig(kind="draw", samples_per_device=5)
    owned = partition(config, labels=LABELS, users=None, devices=4, seed=0)
    with pytest.raises(ConfigurationError, match="devices share samples under"):
        hold_out(owned, 0.2, users=None, seed=0)
