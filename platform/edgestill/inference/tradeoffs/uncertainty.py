"""How sure a lead on validation data is: by blocks of neighbours, and of many leads at once."""

# Names end in shape letters: L leads, N inputs, B blocks, D draws.
# ruff: noqa: N803, N806

from collections.abc import Iterable

import numpy as np

from edgestill.inference.tradeoffs.outcomes import Choice, Floats, Outcomes

_BLOCKS = 100
"""Enough for a standard error that is itself a fourteenth off, and for tails nearly normal."""

_DRAWS = 1000


def standard_error(values_N: Floats) -> Floats:
    """Return the standard error of the mean of N values, whose neighbours may be alike.

    By the means of blocks of consecutive values (batch means: Law & Carson, Operations Research
    1979).

    Args:
        values_N: [..., N], N at least 2.
    """
    means = _block_means(values_N)
    error: Floats = means.std(axis=-1, ddof=1) / np.sqrt(means.shape[-1])
    return error


def difference_error(outcomes: Outcomes, chosen: Choice, other: Choice) -> float:
    """Return the standard error of how much better one choice is than another on the same inputs.

    By leaving out each block of consecutive inputs in turn (block jackknife: Künsch, Annals of
    Statistics 1989), as the figure of merit may be no mean, and neighbours may show one thing.
    """
    places = np.arange(len(chosen))
    blocks = np.array_split(places, min(_BLOCKS, len(places)))
    rests = [np.setdiff1d(places, block) for block in blocks]
    changes = [outcomes.merit(chosen, rest) - outcomes.merit(other, rest) for rest in rests]
    return float(np.std(changes) * np.sqrt(len(blocks) - 1))


def critical_value(searches: Iterable[Floats], *, confidence: float, seed: int = 0) -> float:
    """Return by how many standard errors a lead must stand out among all that were looked at.

    The best of a thousand leads is large by chance alone. So the sign of every block's lead is
    thrown by a coin, the same for all leads, again and again, and the most standard errors that any
    lead then comes to are noted (sign flipping and the largest statistic: Nichols & Holmes, Human
    Brain Mapping 2002; exact where blocks are symmetric about nothing gained and independent; what
    is chosen by other blocks, as in cross-fitting, is so only nearly).

    Args:
        searches: of each search its L leads on the same N inputs, [L, N]; L may differ.
        confidence: 0..1, that chance alone takes no lead of any search beyond the value.
        seed: of the coins.

    Returns:
        At least 0; 0 where there is no lead at all, infinite where too few inputs can tell.
    """
    coins_BD = np.random.default_rng(seed).choice([-1.0, 1.0], size=(_BLOCKS, _DRAWS))
    highest_D, blocks = np.zeros(_DRAWS), _BLOCKS
    for leads_LN in searches:
        means_LB = _block_means(leads_LN)
        blocks = means_LB.shape[1]
        lengths_L = np.linalg.norm(means_LB, axis=1)
        some = lengths_L > 0.0
        flipped_LD = means_LB[some] @ coins_BD[:blocks] / lengths_L[some, None]
        highest_D = np.maximum(highest_D, flipped_LD.max(axis=0, initial=0.0))
    # The blocks' length stays whatever the coins say, and so gives the spread about their mean.
    spread_D = np.sqrt(np.maximum(blocks - highest_D**2, 0.0) / (blocks - 1))
    with np.errstate(divide="ignore"):
        return float(np.quantile(highest_D / spread_D, confidence, method="higher"))


def _block_means(values_N: Floats) -> Floats:
    """Return [..., B], the means of blocks of consecutive values."""
    blocks = np.array_split(values_N, min(_BLOCKS, values_N.shape[-1]), axis=-1)
    return np.stack([block.mean(axis=-1) for block in blocks], axis=-1)
