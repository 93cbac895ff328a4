"""What the points and attacks say: claims, tables, curves."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from edgestill.jobs.benchmarks.form import Measured, ResultTable, at_least, at_most
from edgestill.jobs.benchmarks.intervals import Mean, mean_of
from edgestill.jobs.benchmarks.sfd.figures import charts_of
from edgestill.jobs.benchmarks.sfd.leaks import Leaks, leak_charts, leak_tables, leaks_of
from edgestill.jobs.benchmarks.sfd.points import Outcome, Point
from edgestill.jobs.benchmarks.sfd.scenario import COMPARED, Scenario
from edgestill.jobs.benchmarks.sfd.series import shown

LEAST_DROP_DB = 1.0
MOST_AUC = 0.55


def judged(
    field: Sequence[Scenario],
    seeds: Sequence[int],
    teachers: Mapping[str, float],
    outcomes: Sequence[Outcome],
    leaks: Sequence[Leaks],
) -> Measured:
    """Return the figures and what they say about the claims."""
    rows = [row for scenario in field for row in curve_of(scenario, outcomes)]
    gains = {one.dataset: _gains(one, seeds, outcomes) for one in field}
    leads = {one.dataset: _leads(one, seeds, outcomes) for one in field}
    told = {one.dataset: leaks_of(one.dataset, leaks) for one in field}
    return Measured(
        configuration={
            "seeds": list(seeds),
            "scenarios": [one.to_plain() for one in field],
            "compared_shares": list(COMPARED),
        },
        results={
            "teacher_accuracy": dict(teachers),
            "curves": rows,
            "relevance_gain": {name: mean_of(values) for name, values in gains.items()},
            "relevance_lead_over_reversed": {
                name: {str(share): mean_of(values) for share, values in by_share.items()}
                for name, by_share in leads.items()
            },
            "leaks": told,
            "points": [one.to_plain() for one in _in_order(outcomes)],
            "attacks": [one.to_plain() for one in leaks],
        },
        claims=[
            at_least(
                "sfd_relevance_gain",
                min(statistics.fmean(values) for values in gains.values()),
                0.0,
                "of accuracy 0..1, relevance at 25 % of the bytes over random at 50 %",
            ),
            at_least(
                "sfd_relevance_vs_reversed",
                min(
                    statistics.fmean(values)
                    for by_share in leads.values()
                    for values in by_share.values()
                ),
                0.0,
                "of accuracy 0..1, at the worst budget",
            ),
            at_least(
                "sfd_inversion_psnr_drop_db",
                min(one["psnr_drop_db"]["mean"] for one in told.values()),
                LEAST_DROP_DB,
                "dB, summary below features",
            ),
            at_most(
                "sfd_membership_auc",
                max(one["auc_private"]["mean"] for one in told.values()),
                MOST_AUC,
                f"AUC, at epsilon {_largest_epsilon(leaks):.2g}",
            ),
        ],
        tables=[*(_curve_table(one, rows) for one in field), *leak_tables(told)],
        charts=[*charts_of(field, rows), *leak_charts(told)],
    )


def curve_of(scenario: Scenario, outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Return a dataset's points over its seeds, by student, policy and share."""
    groups: dict[tuple[bool, str, float, bool, int | None], list[Outcome]] = {}
    for one in _in_order(outcomes):
        point = one.point
        if point.scenario.dataset == scenario.dataset:
            key = (
                *(point.together, point.policy, point.share),
                *(point.lower_rate, point.link_bytes_per_s),
            )
            groups.setdefault(key, []).append(one)
    return [
        {
            "dataset": scenario.dataset,
            "student": "global" if together else "personal",
            "policy": policy,
            "share": share,
            "lower_rate": lower_rate,
            "link_bytes_per_s": link,
            "received_bytes": statistics.fmean(one.received_bytes for one in group),
            "accuracy": mean_of([one.accuracy for one in group]),
            "test_accuracy": mean_of([one.test_accuracy for one in group]),
            "membership_auc": _optional([one.membership_auc for one in group]),
        }
        for (together, policy, share, lower_rate, link), group in groups.items()
    ]


def _gains(scenario: Scenario, seeds: Sequence[int], outcomes: Sequence[Outcome]) -> list[float]:
    """Return by seed what relevance is ahead of random, at half of its bytes."""
    found = _personal(scenario, outcomes)
    less, more = COMPARED
    return [found["relevance", less, seed] - found["random", more, seed] for seed in seeds]


def _leads(
    scenario: Scenario, seeds: Sequence[int], outcomes: Sequence[Outcome]
) -> dict[float, list[float]]:
    """Return by budget and seed what relevance is ahead of reversed, at the same bytes."""
    found = _personal(scenario, outcomes)
    return {
        share: [found["relevance", share, one] - found["reversed", share, one] for one in seeds]
        for share in scenario.shares
    }


def _personal(
    scenario: Scenario, outcomes: Iterable[Outcome]
) -> dict[tuple[str, float, int], float]:
    return {
        (one.point.policy, one.point.share, one.point.seed): one.accuracy
        for one in outcomes
        if one.point.scenario.dataset == scenario.dataset and _plain(one.point)
    }


def _plain(point: Point) -> bool:
    """Return whether this is a personal student with whole samples and no link."""
    return not (point.together or point.lower_rate or point.link_bytes_per_s)


def _in_order(outcomes: Iterable[Outcome]) -> list[Outcome]:
    order = ("none", "relevance", "random", "reversed", "all")
    return sorted(
        outcomes,
        key=lambda one: (
            one.point.scenario.dataset,
            one.point.together,
            order.index(one.point.policy),
            one.point.share,
            one.point.lower_rate,
            one.point.link_bytes_per_s or 0,
            one.point.seed,
        ),
    )


def _optional(values: Sequence[float | None]) -> Mean | None:
    known = [value for value in values if value is not None]
    return mean_of(known) if known else None


def _largest_epsilon(leaks: Sequence[Leaks]) -> float:
    return max((one.training_epsilon or float("inf") for one in leaks), default=float("nan"))


def _curve_table(scenario: Scenario, rows: Sequence[Mapping[str, Any]]) -> ResultTable:
    cells = [
        (
            str(row["student"]),
            str(row["policy"]),
            _how(row),
            f"{row['received_bytes'] / 1000:.0f}",
            shown(row["accuracy"]),
            shown(row["test_accuracy"]),
            "" if row["membership_auc"] is None else shown(row["membership_auc"]),
        )
        for row in rows
        if row["dataset"] == scenario.dataset
    ]
    columns = (
        *("student", "policy", "share of the bank", "kB received"),
        *("own data", "test split", "membership AUC"),
    )
    return ResultTable(title=f"{scenario.dataset}: accuracy", columns=columns, rows=cells)


def _how(row: Mapping[str, Any]) -> str:
    share = f"{row['share']:.3g}"
    if row["link_bytes_per_s"] is not None:
        return f"{share} at {row['link_bytes_per_s'] / 1000:g} kB/s"
    return f"{share}, lower rate" if row["lower_rate"] else share
