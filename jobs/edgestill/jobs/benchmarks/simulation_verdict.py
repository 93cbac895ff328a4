"""What the contests came to: rates, ratios, differences of parameters, claims."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgestill.jobs.benchmarks.form import Claim, Measured, ResultTable, at_least, at_most
from edgestill.jobs.benchmarks.simulation_share import LANE
from edgestill.jobs.benchmarks.simulation_work import (
    BATCH_SIZE,
    EPOCHS,
    LEARNING_RATE,
    SAMPLES_PER_DEVICE,
    Contest,
)

SETTING = {
    "a_round_has": "messages, training, aggregation, score of the global model on test samples",
    "gradient_clipping": "none by the peers; ours computes the norm against a bound never reached",
    "flower": "run_simulation, Ray backend, one client at a time per core, one torch thread each",
    "pfl": "0.6.0, one process per core through torch.distributed, one torch thread each",
    "ours": "Coordinator and RayGrid, one cohort per core, one torch thread each",
}

Arrays = Mapping[str, NDArray[np.float32]]
UNKNOWN = float("nan")
MAIN_WORK = "small_cnn"

CONTROL, REFERENCE = "nudged", "flower"
"""The reference trainer from a start with other last bits, and from the common one."""

CONTROL_TARGET = 2.0
CONTROL_REASON = (
    "training the student amplifies rounding: the reference in float64, or from a start moved by "
    "one unit in the last place, ends as far from the reference in float32 as the lanes do; "
    "after one round they agree to 1e-5"
)

SHARE_TARGET = 0.1
SHARE_REASON = (
    "between the products lie pooling, activations, the loss and the optimiser's step, bound by "
    "memory; the first layer's products have an inner length of 9"
)


@dataclass(slots=True, kw_only=True)
class Played:
    """What one side did in a contest.

    Attributes:
        seconds: of each measured round.
        fitted: devices fitted in each; None where all were.
        accuracy: of the global model after each round, those that warm up included.
        lost: devices without a reply, over all rounds.
        arrays: the final ones by name.
        reason: why it did not finish; None if it did.
    """

    seconds: list[float] = field(default_factory=list)
    fitted: list[int | None] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    lost: int = 0
    arrays: Arrays = field(default_factory=dict)
    reason: str | None = None

    def rates(self, devices: int) -> list[float]:
        """Return the devices fitted per second in each measured round."""
        pairs = zip(self.fitted, self.seconds, strict=True)
        return [(devices if fitted is None else fitted) / seconds for fitted, seconds in pairs]


def judged(
    contests: Sequence[Contest],
    played: Mapping[str, Mapping[str, Played]],
    shares: Mapping[str, Mapping[str, Any]],
) -> Measured:
    """Return the figures of all contests and what they say about the claims.

    Args:
        contests: that were played.
        played: by contest and side.
        shares: of the rate of matrix products, by contest.
    """
    works = {c.name: _figures(c, played[c.name]) for c in contests}
    return Measured(
        configuration={
            "contests": [asdict(contest) for contest in contests],
            "samples_per_device": SAMPLES_PER_DEVICE,
            "epochs": EPOCHS,
            "batch_size": BATCH_SIZE,
            "learning_rate": LEARNING_RATE,
            "lane_of_the_share": LANE,
            "share_target_reason": SHARE_REASON,
            "control_reason": CONTROL_REASON,
            **SETTING,
        },
        results={"works": works, "matrix_products": shares},
        claims=_claims(works, shares),
        tables=[_table(contests, works), _share_table(shares)],
    )


def largest_difference(sides: Sequence[Arrays]) -> float:
    """Return the largest difference of any number between any two sides; NaN with fewer than two.

    Sides with other names or shapes differ by infinity.
    """
    pairs = list(combinations(sides, 2))
    return max(map(_difference, *zip(*pairs, strict=True))) if pairs else UNKNOWN


def _difference(left: Arrays, right: Arrays) -> float:
    shapes = [{name: array.shape for name, array in side.items()} for side in (left, right)]
    if shapes[0] != shapes[1]:
        return float("inf")
    return max(float(np.max(np.abs(left[name] - right[name]), initial=0.0)) for name in left)


def _figures(contest: Contest, played: Mapping[str, Played]) -> dict[str, Any]:
    """Return a contest's rates by side, ratios of ours over the peers, and the difference."""
    rates = {name: one.rates(contest.devices) for name, one in played.items()}
    finished = {name: one.arrays for name, one in played.items() if one.reason is None}
    compared = [arrays for name, arrays in finished.items() if name != CONTROL]
    control = [finished[name] for name in (CONTROL, REFERENCE) if name in finished]
    return {
        "sides": {name: _side(one, rates[name]) for name, one in played.items()},
        "speedups": {
            f"{ours}_over_{peer}": _ratio(rates[ours], rates[peer])
            for ours in played
            for peer in ("flower", "pfl")
            if ours not in ("flower", "pfl", CONTROL)
            and peer in played
            and played[peer].reason is None
        },
        "max_abs_parameter_difference": _finite(largest_difference(compared)),
        "control_max_abs_parameter_difference": _finite(largest_difference(control)),
    }


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _side(one: Played, rates: Sequence[float]) -> dict[str, Any]:
    return {
        "devices_per_s": spread(rates),
        "round_s": spread(one.seconds),
        "accuracy": list(one.accuracy),
        "lost": one.lost,
        "reason": one.reason,
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return count, median, quartiles, least and largest; nothing of nothing."""
    if not values:
        return {}
    low, q25, q50, q75, high = np.percentile(values, [0, 25, 50, 75, 100]).tolist()
    return {"count": len(values), "min": low, "p25": q25, "median": q50, "p75": q75, "max": high}


def _ratio(ours: Sequence[float], peer: Sequence[float]) -> dict[str, float]:
    """Return the ratio of the medians, and the spread of the ratios round by round."""
    by_round = [a / b for a, b in zip(ours, peer, strict=False)]
    return {"of_medians": statistics.median(ours) / statistics.median(peer), **spread(by_round)}


def _claims(
    works: Mapping[str, Mapping[str, Any]], shares: Mapping[str, Mapping[str, Any]]
) -> list[Claim]:
    speedups = works[MAIN_WORK]["speedups"]

    def times(name: str) -> float:
        return float(speedups.get(name, {}).get("of_medians", UNKNOWN))

    flower, app = times("vectorized_over_flower"), times("unmodified_app_over_flower")
    differences = [one["max_abs_parameter_difference"] for one in works.values()]
    difference = UNKNOWN if None in differences else max(differences)
    share = float(shares[MAIN_WORK]["share_of_batched_product"])
    controlled = [
        at_most(f"{name}_difference_over_control", ratio, CONTROL_TARGET, "times the control's")
        for name, one in works.items()
        if (ratio := _over_control(one)) is not None
    ]
    return [
        at_least("speedup_vs_flower", flower, 20.0, "times"),
        at_least("speedup_vs_flower_stretch", flower, 40.0, "times"),
        at_least("speedup_vs_pfl", times("vectorized_over_pfl"), 4.0, "times"),
        at_least("speedup_vs_flower_unmodified_app", app, 3.0, "times"),
        at_least("speedup_vs_flower_unmodified_app_stretch", app, 6.0, "times"),
        at_most("max_abs_parameter_difference", difference, 1e-4, f"over {', '.join(works)}"),
        *controlled,
        at_least("lane_matmul_share", share, SHARE_TARGET, "of the products' rate"),
    ]


def _over_control(figures: Mapping[str, Any]) -> float | None:
    """Return by how much sides differ, over what other last bits do; None without a control."""
    control = figures["control_max_abs_parameter_difference"]
    difference = figures["max_abs_parameter_difference"]
    return None if not control or difference is None else float(difference / control)


def _table(contests: Sequence[Contest], works: Mapping[str, Mapping[str, Any]]) -> ResultTable:
    rows = []
    for contest in contests:
        figures = works[contest.name]
        for name, side in figures["sides"].items():
            rates, speedups = side["devices_per_s"], figures["speedups"]
            cells = [f"{rates[key]:.0f}" if rates else "-" for key in ("median", "p25", "p75")]
            times = [speedups.get(f"{name}_over_{peer}") for peer in ("flower", "pfl")]
            over = [f"{one['of_medians']:.1f}" if one else "-" for one in times]
            note = side["reason"] or ""
            rows.append((contest.name, str(contest.devices), name, *cells, *over, note[:60]))
    columns = ("work", "devices", "side", "fitted/s", "p25", "p75", "x flower", "x pfl", "")
    return ResultTable(title="devices fitted per second", columns=columns, rows=rows)


def _share_table(shares: Mapping[str, Mapping[str, Any]]) -> ResultTable:
    rows = [
        (
            name,
            f"{one['devices_per_s_lane']:.0f}",
            f"{one['devices_per_s_sequential']:.0f}",
            f"{one['lane_gflop_per_s']:.1f}",
            f"{one['batched_product_gflop_per_s']:.1f}",
            f"{one['large_product_gflop_per_s']:.1f}",
            f"{one['share_of_batched_product']:.2f}",
        )
        for name, one in shares.items()
    ]
    columns = ("work", "lane/s", "alone/s", "lane GF/s", "batched GF/s", "large GF/s", "share")
    return ResultTable(title="one thread, without any engine", columns=columns, rows=rows)
