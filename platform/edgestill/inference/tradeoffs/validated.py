"""The three architectures on validation data: every operating point that each can choose from."""

import numpy as np

from edgestill.inference.gates import Answers, Hardness
from edgestill.inference.tradeoffs.architectures import adaptive, independent
from edgestill.inference.tradeoffs.crossfit import try_dynamic
from edgestill.inference.tradeoffs.operating import Tried, try_all
from edgestill.inference.tradeoffs.outcomes import Outcomes

OFFLOAD_RATES = tuple(np.linspace(0.0, 1.0, 21).tolist())


def try_architectures(
    answers: Answers, outcomes: Outcomes, hardness: Hardness
) -> tuple[Tried, Tried, Tried]:
    """Return what Independent, Adaptive and Dynamic can be run with.

    Dynamic can do whatever the others can: their policies come first, and of equals the first,
    which is simpler, is to be taken.

    Args:
        answers: of the device.
        outcomes: of the same N inputs, N at least 2.
        hardness: of Independent's and Adaptive's gate.
    """
    inputs, features = (
        try_all(policies(answers, outcomes, hardness, OFFLOAD_RATES), answers, outcomes)
        for policies in (independent, adaptive)
    )
    return inputs, features, inputs.beside(features).beside(try_dynamic(answers, outcomes))
