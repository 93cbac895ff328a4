"""What is learned from inputs, tried on the same inputs as if it had not seen them.

A policy that was learned on the data by which it is then chosen flatters itself. So each block of
inputs is judged by what was learned on the others (cross-fitting: Chernozhukov et al., "Double/
debiased machine learning", Econometrics Journal 2018, section 3). Neighbours may show the same
thing, such as one digit on several photographs, so blocks are of consecutive inputs.
"""

import numpy as np

from edgestill.inference.gates import Answers
from edgestill.inference.gates.learned import features_of
from edgestill.inference.tradeoffs.architectures import dynamic
from edgestill.inference.tradeoffs.operating import Tried, tried_with
from edgestill.inference.tradeoffs.outcomes import Floats, Outcomes
from edgestill.inference.tradeoffs.policies import fitted_worth, learn_worth

_FOLDS = 10


def try_dynamic(answers: Answers, outcomes: Outcomes) -> Tried:
    """Return all of Dynamic's policies, learned on all inputs and judged by others'.

    Args:
        answers: of the device.
        outcomes: of the same N inputs, N at least 2.
    """
    policies = dynamic(learn_worth(answers, outcomes))
    values = held_out_worth(answers, outcomes)
    return tried_with(policies, [policy.choose_by(values) for policy in policies], outcomes)


def held_out_worth(answers: Answers, outcomes: Outcomes) -> Floats:
    """Return [N, W], how right each way is expected to be, learned without the input's block."""
    features, shares = features_of(answers), outcomes.shares_WN()
    rows = np.arange(len(features))
    values = np.empty((len(rows), len(outcomes.ways)))
    for block in np.array_split(rows, min(_FOLDS, len(rows))):
        others = np.setdiff1d(rows, block)
        learned = fitted_worth(features[others], shares[:, others], outcomes.ways)
        values[block] = learned.of(features[block])
    return values
