"""Fewer tokens: the visual tokens of an image merged into a few before they are coded.

Letters: B images, T tokens, N tokens kept, D features, K neighbours.
"""

# Names end in shape letters.
# ruff: noqa: N803, N806, N815

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Method = Literal["dpc_knn", "pooling", "random", "none"]

NEIGHBOURS = 5
"""K of the local density; the token itself, at distance 0, is one of them."""

_TIE_NOISE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """Tokens after merging.

    Attributes:
        tokens_BND: the unweighted mean of each group's members.
        assignment_BT: the group of each token, 0 to N - 1; -1 for a token that was dropped.
    """

    tokens_BND: Tensor
    assignment_BT: Tensor


def merge_tokens(tokens_BTD: Tensor, count: int, *, method: Method, seed: int) -> Merged:
    """Merge each image's tokens into ``count``; an image's result does not depend on its batch.

    The means are differentiable in the tokens, the grouping is not.

    Args:
        tokens_BTD: tokens of B images.
        count: N, from 1 to T; ``none`` does not look at it.
        method: ``dpc_knn`` is the merging of TOFC (Yuan et al., IEEE TMC 2026): density peaks
            (Du et al., Knowledge-Based Systems 2016) of scaled distances, each token to its nearest
            peak. ``pooling`` averages equal parts of the grid (or of the sequence, where T or N
            makes no grid), ``random`` drops all but N tokens, ``none`` keeps all.
        seed: of what breaks ties in ``dpc_knn`` and of the choice in ``random``.

    Raises:
        ValueError: not three axes, ``count`` out of range, or a method unknown.
    """
    if tokens_BTD.ndim != 3:
        raise ValueError(f"tokens have {tokens_BTD.ndim} axes; expected 3 (image, token, feature)")
    images, length, _ = tokens_BTD.shape
    if method == "none":
        every_T = torch.arange(length, device=tokens_BTD.device)
        return Merged(tokens_BND=tokens_BTD, assignment_BT=every_T.expand(images, length))
    if not 1 <= count <= length:
        raise ValueError(f"count is {count}; expected 1 to {length}, the number of tokens")
    if method == "dpc_knn":
        return _means(tokens_BTD, _nearest_peak(tokens_BTD.detach(), count, seed), count)
    if method == "pooling":
        parts_T = _parts(length, count).to(tokens_BTD.device)
        return _means(tokens_BTD, parts_T.expand(images, length), count)
    if method == "random":
        return _kept(tokens_BTD, count, seed)
    raise ValueError(f"method is {method!r}; expected dpc_knn, pooling, random or none")


def _nearest_peak(tokens_BTD: Tensor, count: int, seed: int) -> Tensor:
    """Return the nearest of the ``count`` density peaks, BT; peaks stand in the tokens' order."""
    distances_BTT = _distances(tokens_BTD)
    noise_T = torch.rand(tokens_BTD.shape[1], generator=torch.Generator().manual_seed(seed))
    noise_T = _TIE_NOISE * noise_T.to(tokens_BTD)
    density_BT = _density(distances_BTT) * (1 + noise_T)
    denser_BTT = density_BT.unsqueeze(1) > density_BT.unsqueeze(2)
    apart_BTT = distances_BTT.masked_fill(~denser_BTT, float("inf"))
    furthest_BT = distances_BTT.amax(-1)
    separation_BT = torch.where(denser_BTT.any(-1), apart_BTT.amin(-1), furthest_BT)
    # Equal tokens have no separation; their order is the noise's too.
    score_BT = density_BT * (separation_BT + noise_T)
    peaks_BN = score_BT.topk(count, dim=-1).indices.sort(dim=-1).values
    to_peaks_BTN = distances_BTT.gather(
        2, peaks_BN.unsqueeze(1).expand(-1, tokens_BTD.shape[1], -1)
    )
    own_N = torch.arange(count, device=tokens_BTD.device).expand_as(peaks_BN)
    # A peak belongs to itself, even beside its double.
    return to_peaks_BTN.argmin(-1).scatter(1, peaks_BN, own_N)


def _distances(tokens_BTD: Tensor) -> Tensor:
    # By matrix products, twenty times faster; they are exact enough around the mean.
    centred_BTD = tokens_BTD - tokens_BTD.mean(1, keepdim=True)
    distances_BTT = torch.cdist(centred_BTD, centred_BTD, compute_mode="use_mm_for_euclid_dist")
    distances_BTT.diagonal(dim1=1, dim2=2).zero_()
    # Without the scale the density of wide tokens underflows to 0.
    return distances_BTT / math.sqrt(tokens_BTD.shape[-1])


def _density(distances_BTT: Tensor) -> Tensor:
    """Return exp(-mean squared distance to the K nearest).

    Times a constant of each image, which changes no comparison and keeps it from underflow.
    """
    length = distances_BTT.shape[-1]
    nearest_BTK = distances_BTT.topk(min(NEIGHBOURS, length), dim=-1, largest=False).values
    spread_BT = nearest_BTK.square().mean(-1)
    return torch.exp(spread_BT.amin(-1, keepdim=True) - spread_BT)


def _means(tokens_BTD: Tensor, assignment_BT: Tensor, count: int) -> Merged:
    images, _, features = tokens_BTD.shape
    sums_BND = tokens_BTD.new_zeros(images, count, features).scatter_add(
        1, assignment_BT.unsqueeze(-1).expand_as(tokens_BTD), tokens_BTD
    )
    members_BN = tokens_BTD.new_zeros(images, count).scatter_add(
        1, assignment_BT, torch.ones_like(assignment_BT, dtype=tokens_BTD.dtype)
    )
    return Merged(tokens_BND=sums_BND / members_BN.unsqueeze(-1), assignment_BT=assignment_BT)


def _parts(length: int, count: int) -> Tensor:
    """Return the part of each token, T: tiles of a square grid where that divides into N tiles."""
    side = math.isqrt(length)
    rows = max(n for n in range(1, math.isqrt(count) + 1) if count % n == 0)
    columns = count // rows
    if side * side != length or columns > side:
        return torch.arange(length) * count // length
    at = torch.arange(side)
    return ((at * rows // side).unsqueeze(1) * columns + at * columns // side).flatten()


def _kept(tokens_BTD: Tensor, count: int, seed: int) -> Merged:
    images, length, _ = tokens_BTD.shape
    order_T = torch.randperm(length, generator=torch.Generator().manual_seed(seed))
    kept_N = order_T[:count].sort().values
    assignment_T = torch.full((length,), -1)
    assignment_T[kept_N] = torch.arange(count)
    return Merged(
        tokens_BND=tokens_BTD[:, kept_N.to(tokens_BTD.device)],
        assignment_BT=assignment_T.to(tokens_BTD.device).expand(images, length),
    )
