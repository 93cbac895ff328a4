"""The choice of tier and rate for one input: who answers in time, and from how many bytes."""

from collections.abc import Sequence
from typing import Protocol

from edgestill.inference.gates import Answers, Link, in_time


class RatePolicy(Protocol):
    """Chooses among the rates that arrive in time and that the device's level allows."""

    def __call__(self, answers: Answers, rates: Sequence[int]) -> int | None:
        """Return one of the rates, or None to leave the device's own answer.

        Args:
            answers: of the device, one row.
            rates: ascending, at least one.
        """
        ...


def largest(answers: Answers, rates: Sequence[int]) -> int:
    """Return the highest rate (SFD's rule: the most bytes that arrive before the deadline)."""
    del answers
    return rates[-1]


def sufficient(scores: Sequence[float], kept: float) -> RatePolicy:
    """Return a policy that sends no more than is needed: the lowest rate that is good enough.

    Where none that arrives in time is, it takes the best of them, and of equals the lowest.

    Args:
        scores: accuracy or mean average precision of the answers at each rate, on validation data.
        kept: share of the highest score that is good enough, 0..1.
    """
    enough = kept * max(scores)

    def choose(answers: Answers, rates: Sequence[int]) -> int:
        del answers
        good = [rate for rate in rates if scores[rate] >= enough]
        return good[0] if good else max(rates, key=lambda rate: scores[rate])

    return choose


def arriving(links: Sequence[Link], sizes: Sequence[int], left_s: float) -> list[int]:
    """Return the rates at which some tier's answer would come in time, ascending.

    Args:
        links: to each tier that may be asked, with the load that it showed.
        sizes: bytes of a frame at rate 0, 1, ... up to the highest that is allowed.
        left_s: until the answer is of no more use.
    """
    return [
        rate
        for rate, size in enumerate(sizes)
        if any(in_time(link, size, left_s) for link in links)
    ]


def fastest_first(links: Sequence[Link], size: int, left_s: float) -> list[int]:
    """Return the places of the tiers that would answer a frame of this size in time.

    They are ordered by when the answer is expected; of equals the first given comes first.
    """
    able = [place for place, link in enumerate(links) if in_time(link, size, left_s)]
    return sorted(able, key=lambda place: links[place].answer_s(size))
