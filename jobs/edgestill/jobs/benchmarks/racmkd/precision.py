"""What precision by significance is worth: shared features at few bits, dealt evenly or not."""

from typing import Any

import numpy as np

from edgestill.jobs.benchmarks.racmkd.lessons import Lessons
from edgestill.knowledge.shared_space import at_precision, precision_bits

MEAN_BITS = (1, 2, 3)


def precisions(lessons: Lessons) -> list[dict[str, Any]]:
    """Return the share of the shared features' energy that rounding loses, for some mean bits.

    The features are the teacher's of one view; how far they reach is taken from another.
    """
    known, told = lessons.views[0].shared, lessons.views[-1].shared
    significance = lessons.space.significance
    width = len(significance)
    found = []
    for mean_bits in MEAN_BITS:
        dealt = {
            "by_significance": precision_bits(significance, mean_bits),
            "evenly": np.full(width, mean_bits, np.int64),
        }
        row: dict[str, Any] = {"mean_bits": mean_bits, "bytes": -(-mean_bits * width // 8)}
        for name, bits in dealt.items():
            lost, energy = 0.0, 0.0
            for kind in known:
                features = told[kind].numpy()
                reach = np.abs(known[kind].numpy()).max(axis=0)
                rounded = at_precision(features, bits, reach)
                lost += float(np.square(rounded - features).sum())
                energy += float(np.square(features).sum())
            row[f"lost_ratio_{name}"] = lost / energy
        found.append(row)
    return found
