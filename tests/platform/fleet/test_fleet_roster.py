import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edgestill.fleet.roster import deal, group_sizes

SHARES = st.lists(st.floats(0.01, 100), min_size=1, max_size=8)


@given(devices=st.integers(1, 3000), shares=SHARES)
def test_sizes_sum_and_are_within_one_of_their_quota(devices: int, shares: list[float]) -> None:
    sizes = group_sizes(devices, shares)
    quotas = devices * np.array(shares) / sum(shares)
    assert sizes.sum() == devices
    assert (np.abs(sizes - quotas) < 1 + 1e-6).all()


@given(devices=st.integers(1, 3000), shares=SHARES)
def test_each_device_is_in_one_group_of_its_size(devices: int, shares: list[float]) -> None:
    groups = deal(devices, shares)
    assert (
        np.bincount(groups, minlength=len(shares)).tolist() == group_sizes(devices, shares).tolist()
    )


def test_groups_are_interleaved() -> None:
    groups = deal(800, [3, 2, 1, 1, 1])
    for start in range(0, 800, 80):
        counts = np.bincount(groups[start : start + 80], minlength=5)
        assert np.abs(counts - [30, 20, 10, 10, 10]).max() <= 1
