"""The three architectures of ECCENTRIC, as policies over ways of answering.

Kamani, Cheng and Chen (arXiv 2511.11719) name them; their rules are not published. Here
*Independent* sends the input, *Adaptive* the device's features, and *Dynamic* picks for each input
among answering at the edge, features at any rate, and the input.
"""

from collections.abc import Sequence
from itertools import combinations, product

import numpy as np

from edgestill.inference.gates import Answers, Hardness, curve, for_offload_rate
from edgestill.inference.tradeoffs.outcomes import Floats, Outcomes, Point, point
from edgestill.inference.tradeoffs.policies import GatePolicy, PricedPolicy, Worth

_BYTE_PRICES = (0.0, *np.geomspace(0.003, 3.0, 31).tolist())
_FLOP_PRICES = (0.0, 0.02, 0.1)
"""In rightness for the dearest way, by bytes and by operations."""


def independent(
    answers: Answers, outcomes: Outcomes, hardness: Hardness, offload_rates: Sequence[float]
) -> list[GatePolicy]:
    """Return policies that send what is hard as it is, their thresholds found on validation data.

    Args:
        answers: of the device.
        outcomes: of the same inputs.
        hardness: of the gate.
        offload_rates: each in 0..1; none is exceeded on these inputs.
    """
    return _gated(answers, outcomes, len(outcomes.ways) - 1, hardness, offload_rates)


def adaptive(
    answers: Answers, outcomes: Outcomes, hardness: Hardness, offload_rates: Sequence[float]
) -> list[GatePolicy]:
    """Return policies that send the device's features of what is hard, at one rate each."""
    return [
        policy
        for place in range(1, len(outcomes.ways) - 1)
        for policy in _gated(answers, outcomes, place, hardness, offload_rates)
    ]


def dynamic(worth: Worth) -> list[PricedPolicy]:
    """Return policies over the edge with every set of other ways, at a grid of prices."""
    others = range(1, len(worth.biases))
    sets = [
        (0, *found) for size in range(1, len(others) + 1) for found in combinations(others, size)
    ]
    prices = [
        (byte_price / worth.bytes_sent.max(), flop_price / worth.flops.max())
        for byte_price, flop_price in product(_BYTE_PRICES, _FLOP_PRICES)
    ]
    return [
        PricedPolicy(worth=worth, byte_price=by_byte, flop_price=by_flop, places=places)
        for places in sets
        for by_byte, by_flop in prices
    ]


def _gated(
    answers: Answers,
    outcomes: Outcomes,
    place: int,
    hardness: Hardness,
    offload_rates: Sequence[float],
) -> list[GatePolicy]:
    way, values = outcomes.ways[place], hardness(answers)
    found = curve(values, outcomes.edge.right, way.right)
    return [
        GatePolicy(
            name=f"{way.name}, {rate:.0%} at most",
            place=place,
            hardness=hardness,
            threshold=for_offload_rate(found, rate),
        )
        for rate in offload_rates
    ]


def gate_curve(
    outcomes: Outcomes, place: int, hardness: Floats, offload_rates: Sequence[float], seed: int = 0
) -> list[Point]:
    """Return what a gate reaches when exactly a share of the inputs is handed on in one way.

    Args:
        outcomes: of N inputs.
        place: of the way in ``outcomes.ways``.
        hardness: [N]; the hardest go first, of equally hard ones any.
        offload_rates: each in 0..1.
        seed: which of equally hard ones.
    """
    ties = np.random.default_rng(seed).random(len(hardness))
    order = np.lexsort((ties, -hardness))
    points = []
    for rate in offload_rates:
        chosen = np.zeros(len(hardness), np.int64)
        chosen[order[: round(rate * len(hardness))]] = place
        points.append(point(f"{rate:.0%}", outcomes, chosen))
    return points
