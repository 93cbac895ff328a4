"""Which policies an architecture is run with: found on validation data, to be judged elsewhere."""

# Names end in shape letters: P policies, N inputs.
# ruff: noqa: N803, N806, N815

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from edgestill.errors import InputError
from edgestill.inference.gates import Answers
from edgestill.inference.tradeoffs.outcomes import Choice, Floats, Outcomes, Point, point
from edgestill.inference.tradeoffs.policies import Policy
from edgestill.inference.tradeoffs.uncertainty import (
    critical_value,
    difference_error,
    standard_error,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """Policies on one set of inputs.

    Attributes:
        outcomes: of N inputs.
        policies: P of them.
        points: of each, what it costs and gives.
        choices_PN: of each, what it chooses.
    """

    outcomes: Outcomes
    policies: Sequence[Policy]
    points: Sequence[Point]
    choices_PN: Sequence[Choice]

    def beside(self, other: "Tried") -> "Tried":
        """Return these policies and others on the same inputs."""
        return replace(
            self,
            policies=[*self.policies, *other.policies],
            points=[*self.points, *other.points],
            choices_PN=[*self.choices_PN, *other.choices_PN],
        )

    def only(self, places: Sequence[int]) -> "Tried":
        """Return the policies at some places, in that order."""
        return replace(
            self,
            policies=[self.policies[place] for place in places],
            points=[self.points[place] for place in places],
            choices_PN=[self.choices_PN[place] for place in places],
        )

    def right_PN(self) -> Floats:  # noqa: N802 - shape letters
        """Return how right the answers are that each policy chooses."""
        return np.stack([self.outcomes.right_of(chosen) for chosen in self.choices_PN])

    def costs(self) -> Floats:
        """Return [P, 3]: bytes, operations, and what is missing to being right."""
        return np.array([(one.bytes_sent, one.flops, 1.0 - one.right) for one in self.points])


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """How right a model is that others are held to: its figure of merit, and of each input."""

    score: float
    right_N: Floats


def try_all(policies: Sequence[Policy], answers: Answers, outcomes: Outcomes) -> Tried:
    """Return what policies give."""
    return tried_with(policies, _choices(policies, answers), outcomes)


def tried_with(
    policies: Sequence[Policy], choices_PN: Iterable[Choice], outcomes: Outcomes
) -> Tried:
    """Return what policies give that choose so; what several choose alike is scored once."""
    points: dict[bytes, Point] = {}
    found, chosen_PN = [], []
    for policy, chosen in zip(policies, choices_PN, strict=True):
        key = np.asarray(chosen, np.uint8).tobytes()
        if key not in points:
            points[key] = point(policy.name, outcomes, chosen)
        found.append(replace(points[key], name=policy.name))
        chosen_PN.append(chosen)
    return Tried(outcomes=outcomes, policies=policies, points=found, choices_PN=chosen_PN)


def _choices(policies: Sequence[Policy], answers: Answers) -> Iterator[Choice]:
    """Yield what each policy chooses; a basis that several share is asked once."""
    values: dict[int, Floats] = {}
    for policy in policies:
        basis = policy.basis
        if id(basis) not in values:
            values[id(basis)] = basis(answers)
        yield policy.choose_by(values[id(basis)])


def improved(base: Tried, every: Tried, *, confidence: float) -> Tried:
    """Return, for each policy of ``base``, one that costs no more and is no worse.

    That is, of ``every`` policy that sends no more bytes and takes no more operations, the one
    whose lead in rightness is the surest, if it is sure though the best of many was looked for, and
    if the figure of merit says so too; else the policy itself, so that where validation data cannot
    tell nothing is changed.

    Args:
        base: policies on validation data.
        every: on the same inputs, those of ``base`` first.
        confidence: above 0 and below 1, that no policy is left for one that leads by chance alone.
    """
    costs, right_PN = every.costs(), every.right_PN()
    searches = [
        np.flatnonzero((costs[:, 0] <= own.bytes_sent) & (costs[:, 1] <= own.flops))
        for own in base.points
    ]
    leads = (right_PN[found] - right_PN[place] for place, found in enumerate(searches))
    of_many = critical_value(leads, confidence=confidence)
    of_one = NormalDist().inv_cdf(confidence)
    places = []
    for place, found in enumerate(searches):
        sure = _sure(right_PN[found] - right_PN[place], of_many)
        best = int(found[sure.argmax()])
        better = sure.max() > 0.0 and costs[place, 2] - costs[best, 2] > of_one * difference_error(
            every.outcomes, every.choices_PN[best], every.choices_PN[place]
        )
        places.append(best if better else place)
    return every.only(places)


def _sure(leads_LN: Floats, errors: float) -> Floats:
    """Return what is left of L leads after so many standard errors, infinitely many among them."""
    error_L, sure_L = standard_error(leads_LN), np.zeros(len(leads_LN))
    varied = error_L > 0.0
    sure_L[varied] = leads_LN.mean(axis=1)[varied] - errors * error_L[varied]
    return sure_L


def best_within(tried: Tried, *, most_bytes: float, most_edge_flops: float) -> Policy:
    """Return the most accurate policy that sends and computes no more, of equals the first.

    Args:
        tried: on validation data.
        most_bytes: for each input, in the mean.
        most_edge_flops: on the device for each input, in the mean.

    Raises:
        InputError: every policy costs more.
    """
    within = [
        place
        for place, one in enumerate(tried.points)
        if one.bytes_sent <= most_bytes and one.edge_flops <= most_edge_flops
    ]
    if not within:
        raise InputError(
            f"trade-offs: every policy sends more than {most_bytes:g} bytes or takes more than "
            f"{most_edge_flops:g} operations on the device for an input"
        )
    return tried.policies[max(within, key=lambda place: tried.points[place].right)]


def cheapest(
    tried: Tried, reference: Reference, *, kept: float, standard_errors: float
) -> Policy | None:
    """Return the policy that sends least of those that keep an accuracy, None if none does.

    Args:
        tried: on validation data.
        reference: whose accuracy is to be kept, on the same inputs.
        kept: share of it, 0..1.
        standard_errors: of the mean paired difference, by which the share must be exceeded, as
            validation data flatters what is chosen by it.
    """
    beyond = tried.right_PN() - kept * reference.right_N
    margins = standard_errors * standard_error(beyond)
    costs = tried.costs()
    enough = np.flatnonzero(1.0 - costs[:, 2] - kept * reference.score >= margins)
    if not len(enough):
        return None
    return tried.policies[int(enough[costs[enough, 0].argmin()])]
