"""Partitions: every sample goes to exactly one device, always the same one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgestill.config import PartitionConfig
from edgestill.data import partition
from edgestill.errors import ConfigurationError

LABELS = np.arange(400) * 7 % 10
USERS = np.arange(400) // 4 + 1_000


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(["iid", "dirichlet", "shards", "user"]),
    labels=hnp.arrays(np.int64, st.integers(0, 60), elements=st.integers(0, 5)),
    devices=st.integers(1, 40),
    alpha=st.sampled_from([1e-3, 0.1, 0.5, 100.0]),
    shards=st.integers(1, 3),
    seed=st.integers(0, 9),
)
def test_each_sample_goes_to_exactly_one_device(kind, labels, devices, alpha, shards, seed):
    config = PartitionConfig(kind=kind, alpha=alpha, shards_per_device=shards)
    users = np.arange(len(labels)) // 3
    parts = partition(config, labels=labels, users=users, devices=devices, seed=seed)
    assert len(parts) == devices
    assert all(part.dtype == np.int64 for part in parts)
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(len(labels)))


@pytest.mark.parametrize("kind", ["iid", "dirichlet", "shards", "user"])
def test_the_seed_alone_decides(kind):
    config = PartitionConfig(kind=kind)
    first, same, other = (
        partition(config, labels=LABELS, users=USERS, devices=16, seed=seed) for seed in (1, 1, 2)
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, same, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_iid_parts_are_equally_large():
    parts = partition(PartitionConfig(kind="iid"), labels=LABELS, users=None, devices=7, seed=0)
    assert {len(part) for part in parts} == {57, 58}


def test_a_small_alpha_gives_each_device_few_labels():
    def labels_per_device(alpha):
        config = PartitionConfig(kind="dirichlet", alpha=alpha)
        parts = partition(config, labels=LABELS, users=None, devices=10, seed=3)
        return np.mean([len(np.unique(LABELS[part])) for part in parts])

    assert labels_per_device(0.05) < 5 < 9 < labels_per_device(100.0)


def test_shards_hold_few_labels():
    config = PartitionConfig(kind="shards", shards_per_device=2)
    parts = partition(config, labels=LABELS, users=None, devices=20, seed=0)
    assert {len(part) for part in parts} == {20}
    assert max(len(np.unique(LABELS[part])) for part in parts) <= 2


def test_users_stay_whole_and_loads_are_balanced():
    users = np.repeat(np.arange(30), np.arange(1, 31))
    parts = partition(
        PartitionConfig(kind="user"),
        labels=np.zeros(len(users), int),
        users=users,
        devices=5,
        seed=0,
    )
    owners = [set(users[part]) for part in parts]
    assert sum(len(own) for own in owners) == 30
    assert max(map(len, parts)) - min(map(len, parts)) <= 2


def test_more_devices_than_samples_leaves_some_empty():
    for kind in ("iid", "shards"):
        parts = partition(
            PartitionConfig(kind=kind), labels=LABELS[:5], users=None, devices=9, seed=0
        )
        assert sorted(map(len, parts))[:4] == [0, 0, 0, 0]


def test_by_user_without_users_is_refused():
    with pytest.raises(ConfigurationError, match=r"data\.partition\.kind.*no users"):
        partition(PartitionConfig(kind="user"), labels=LABELS, users=None, devices=2, seed=0)


def test_no_devices_is_refused():
    with pytest.raises(ConfigurationError, match="at least 1"):
        partition(PartitionConfig(kind="iid"), labels=LABELS, users=None, devices=0, seed=0)
