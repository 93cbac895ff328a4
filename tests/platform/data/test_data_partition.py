"""Partitions: every sample goes to exactly one device, always the same one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgestill.config import PartitionConfig
from edgestill.data import partition
from edgestill.data.owned import Dealt
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
    assert all((np.diff(part) > 0).all() for part in parts)
    assert [parts.size_of(device) for device in range(devices)] == [len(part) for part in parts]
    np.testing.assert_array_equal(np.sort(np.concatenate([*parts])), np.arange(len(labels)))


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


@settings(max_examples=100, deadline=None)
@given(
    owner=hnp.arrays(np.int64, st.integers(0, 80), elements=st.integers(0, 11)),
    start=st.integers(0, 1_000),
)
def test_offsets_cover_the_rows_that_lists_would(owner, start):
    dealt = Dealt.of(owner, 12)
    assert len(dealt) == 12
    rows = np.arange(len(owner)) * 3 + start
    moved = dealt.within(rows)
    for device in range(12):
        expected = np.flatnonzero(owner == device)
        np.testing.assert_array_equal(dealt[device], expected)
        np.testing.assert_array_equal(moved[device], rows[expected])
        assert dealt.size_of(device) == moved.size_of(device) == len(expected)


def test_rows_beyond_32_bits_are_kept_whole():
    far = np.array([3, 2**40, 2**40 + 1])
    dealt = Dealt.of(np.array([0, 1, 1]), 2).within(far)
    np.testing.assert_array_equal(dealt[1], far[1:])


def drawn(samples=50, devices=10**9, per_device=8, seed=3):
    config = PartitionConfig(kind="draw", samples_per_device=per_device)
    return partition(config, labels=LABELS[:samples], users=None, devices=devices, seed=seed)


@settings(max_examples=150, deadline=None)
@given(
    samples=st.integers(1, 60),
    share=st.floats(0.0, 1.0),
    device=st.integers(0, 10**9 - 1),
    seed=st.integers(0, 2**40),
)
def test_a_draw_is_of_distinct_rows_in_range_and_repeats(samples, share, device, seed):
    per_device = max(1, round(share * samples))
    owned = drawn(samples, per_device=per_device, seed=seed)
    rows = owned[device]
    assert len(rows) == owned.size_of(device) == per_device
    assert rows.dtype == np.int64
    assert (np.diff(rows) > 0).all()
    assert 0 <= rows[0] <= rows[-1] < samples
    # In another process, after other draws, it is the same.
    other = drawn(samples, per_device=per_device, seed=seed)
    other[0]
    np.testing.assert_array_equal(other[device], rows)
    private = np.arange(samples) * 2 + 7
    np.testing.assert_array_equal(owned.within(private)[device], private[rows])


def test_draws_differ_by_device_and_seed_and_use_every_row():
    owned, other = drawn(), drawn(seed=4)
    draws = [tuple(owned[device]) for device in range(400)]
    assert len(set(draws)) == 400
    assert sum(a == tuple(other[d]) for d, a in enumerate(draws)) == 0
    counts = np.bincount(np.concatenate(draws), minlength=50)
    # 64 expected of 400 draws of 8 of 50: five standard deviations are 37.
    assert (np.abs(counts - 64) < 37).all()


def test_more_to_draw_than_there_is_is_refused_by_its_key():
    with pytest.raises(ConfigurationError, match=r"samples_per_device: 51 .* only 50 private"):
        drawn(per_device=51)


@pytest.mark.parametrize("kind", ["iid", "draw"])
@pytest.mark.parametrize("device", [-1, 20])
def test_a_device_that_is_none_has_no_rows(kind, device):
    config = PartitionConfig(kind=kind, samples_per_device=4)
    owned = partition(config, labels=LABELS, users=None, devices=20, seed=0)
    for ask in (owned.__getitem__, owned.size_of):
        with pytest.raises(IndexError, match=r"0\.\.19"):
            ask(device)
