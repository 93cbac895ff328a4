"""ECCENTRIC's Dynamic architecture as a rate policy: each input is sent as what it is worth."""

from collections.abc import Sequence
from dataclasses import replace

from edgestill.inference.gates import Answers
from edgestill.inference.tiers.plan import RatePolicy
from edgestill.inference.tradeoffs import PricedPolicy


def dynamic(priced: PricedPolicy) -> RatePolicy:
    """Return a policy that takes, among the rates that arrive in time, what is worth most.

    With a gate whose threshold is :data:`edgestill.inference.gates.ALWAYS` it alone decides.

    Args:
        priced: its ways are the device's own answer, then each rate in ascending order.
    """

    def choose(answers: Answers, rates: Sequence[int]) -> int | None:
        places = [rate + 1 for rate in rates if rate + 1 in priced.places]
        chosen = int(replace(priced, places=(0, *places)).choose(answers)[0])
        return chosen - 1 if chosen else None

    return choose
