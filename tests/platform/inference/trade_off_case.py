"""A device, features and whole inputs whose trade-offs are known by construction."""

import numpy as np

from edgestill.inference import gates
from edgestill.inference.tradeoffs import Outcomes, Way


def way(kind, right, sent, edge_flops, cloud_flops):
    count = len(right)
    return Way(
        kind=kind,
        name=kind,
        right=np.asarray(right, float),
        bytes_sent=np.full(count, float(sent)),
        edge_flops=edge_flops,
        cloud_flops=cloud_flops,
    )


def dynamic_case(count=3000):
    """The edge is right where it is sure; features mend half of the rest, the input all of it."""
    rng = np.random.default_rng(4)
    sure = rng.random(count)
    p = 0.5 + sure / 2
    answers = gates.Answers(probabilities_NK=np.stack([p, 1 - p], axis=1))
    outcomes = Outcomes(
        edge=way("edge", rng.random(count) < 0.3 + 0.7 * sure, 0, 10.0, 0.0),
        features=[way("features", rng.random(count) < 0.75 + 0.25 * sure, 50, 12.0, 40.0)],
        whole_input=way("input", np.ones(count), 400, 10.0, 100.0),
    )
    return answers, outcomes
