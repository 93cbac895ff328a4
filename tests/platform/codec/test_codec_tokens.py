"""Merging: DPC-KNN finds blobs, every count works, the seed decides ties; and the controls."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgestill.codec.tokens import merge_tokens

METHODS = ("dpc_knn", "pooling", "random")


def blobs(images: int, *, groups: int = 4, members: int = 9, width: int = 32) -> torch.Tensor:
    """Well separated groups, their members shuffled over the sequence, group g at g mod groups."""
    draw = torch.Generator().manual_seed(3)
    centres = 10.0 * torch.randn(images, groups, width, generator=draw)
    noise = torch.randn(images, members, groups, width, generator=draw)
    return (centres.unsqueeze(1) + 0.1 * noise).flatten(1, 2)


def test_dpc_knn_finds_the_blobs_and_gives_their_means():
    tokens = blobs(3)
    merged = merge_tokens(tokens, 4, method="dpc_knn", seed=0)
    expected = torch.arange(4).repeat(9)
    for image in range(3):
        pairs = set(zip(expected.tolist(), merged.assignment_BT[image].tolist(), strict=True))
        assert len(pairs) == 4
        for blob, group in pairs:
            members = tokens[image, expected == blob]
            torch.testing.assert_close(merged.tokens_BND[image, group], members.mean(0))


def test_an_image_is_merged_the_same_alone_and_in_a_batch():
    tokens = torch.randn(5, 49, 24, generator=torch.Generator().manual_seed(1))
    together = merge_tokens(tokens, 9, method="dpc_knn", seed=4)
    alone = [merge_tokens(one[None], 9, method="dpc_knn", seed=4) for one in tokens]
    assert torch.equal(together.assignment_BT, torch.cat([one.assignment_BT for one in alone]))


def test_wide_tokens_do_not_underflow_to_one_density():
    tokens = 3.0 * torch.randn(1, 64, 1152, generator=torch.Generator().manual_seed(2))
    first, second = (merge_tokens(tokens, 8, method="dpc_knn", seed=seed) for seed in (1, 2))
    # Were all densities 0, only the seeded noise would choose the peaks.
    assert torch.equal(first.assignment_BT, second.assignment_BT)


def test_equal_tokens_are_told_apart_by_the_seed_and_no_group_is_empty():
    tokens = torch.ones(2, 20, 8)
    one, same, other = (merge_tokens(tokens, 6, method="dpc_knn", seed=s) for s in (1, 1, 2))
    assert torch.equal(one.assignment_BT, same.assignment_BT)
    assert not torch.equal(one.assignment_BT, other.assignment_BT)
    assert torch.equal(one.tokens_BND, torch.ones(2, 6, 8))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(METHODS), st.integers(1, 40), st.data())
def test_every_count_gives_as_many_groups_with_their_means(method, length, data):
    count = data.draw(st.integers(1, length))
    draw = torch.Generator().manual_seed(length)
    tokens = torch.randn(2, length, 5, generator=draw)
    merged = merge_tokens(tokens, count, method=method, seed=7)
    assert merged.tokens_BND.shape == (2, count, 5)
    for image in range(2):
        groups = merged.assignment_BT[image]
        assert set(groups[groups >= 0].tolist()) == set(range(count))
        means = torch.stack([tokens[image, groups == group].mean(0) for group in range(count)])
        torch.testing.assert_close(merged.tokens_BND[image], means, rtol=1e-4, atol=1e-5)


def test_means_are_differentiable():
    tokens = blobs(1).requires_grad_()
    merge_tokens(tokens, 4, method="dpc_knn", seed=0).tokens_BND.sum().backward()
    assert tokens.grad is not None
    torch.testing.assert_close(tokens.grad, torch.full_like(tokens, 1 / 9))


def test_pooling_of_a_grid_takes_tiles_and_of_a_sequence_takes_runs():
    tokens = torch.zeros(1, 16, 1)
    tiles = merge_tokens(tokens, 4, method="pooling", seed=0).assignment_BT[0].reshape(4, 4)
    assert tiles.tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3]]
    runs = merge_tokens(tokens[:, :6], 3, method="pooling", seed=0).assignment_BT[0]
    assert runs.tolist() == [0, 0, 1, 1, 2, 2]


def test_random_drops_and_none_keeps():
    tokens = torch.arange(10.0).reshape(1, 10, 1)
    kept = merge_tokens(tokens, 3, method="random", seed=5)
    assert int((kept.assignment_BT >= 0).sum()) == 3
    assert set(kept.tokens_BND.flatten().tolist()) <= set(range(10))
    assert torch.equal(merge_tokens(tokens, 3, method="none", seed=5).tokens_BND, tokens)


@pytest.mark.parametrize(
    ("shape", "count", "method", "wrong"),
    [
        ((1, 4, 2), 5, "dpc_knn", "count is 5"),
        ((1, 4, 2), 0, "pooling", "count is 0"),
        ((4, 2), 2, "random", "2 axes"),
        ((1, 4, 2), 2, "mean", "method is 'mean'"),
    ],
)
def test_wrong_arguments_are_named(shape, count, method, wrong):
    with pytest.raises(ValueError, match=wrong):
        merge_tokens(torch.zeros(shape), count, method=method, seed=0)
