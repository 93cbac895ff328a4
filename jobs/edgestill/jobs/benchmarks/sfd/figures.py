"""The curves of ``bench sfd``: accuracy against bytes and bandwidth."""

from collections.abc import Mapping, Sequence
from typing import Any

from edgestill.jobs.benchmarks.charts import Chart, Series
from edgestill.jobs.benchmarks.sfd.scenario import Scenario
from edgestill.jobs.benchmarks.sfd.series import series_of

Row = Mapping[str, Any]
ORDER = ("relevance", "random", "reversed", "all", "none")


def charts_of(field: Sequence[Scenario], rows: Sequence[Row]) -> list[Chart]:
    """Return the charts of every dataset; ``rows`` as in the results."""
    charts = []
    for scenario in field:
        own = [row for row in rows if row["dataset"] == scenario.dataset]
        personal = [
            row for row in own if row["student"] == "personal" and row["link_bytes_per_s"] is None
        ]
        charts += [
            Chart(
                title=f"{scenario.dataset}: personal students",
                caption="Accuracy on the user's own data, means over seeds with 95 % intervals. "
                "All students take the same number of steps.",
                x_label="knowledge received, kB",
                y_label="accuracy, 0 to 1",
                series=_series(personal, "accuracy", "received_bytes"),
            ),
            Chart(
                title=f"{scenario.dataset}: membership in the personal students",
                caption="Likelihood-ratio attack by the server on students trained without "
                "differential privacy; 0.5 is chance.",
                x_label="knowledge received, kB",
                y_label="AUC",
                series=_series(personal, "membership_auc", "received_bytes"),
            ),
        ]
        if scenario.averaged:
            charts += [_bars(scenario, own), _against_bandwidth(scenario, own)]
    return charts


def _series(rows: Sequence[Row], value: str, place: str) -> list[Series]:
    series = []
    for policy, lower_rate in ((one, rate) for rate in (False, True) for one in ORDER):
        matching = (
            row for row in rows if (row["policy"], row["lower_rate"]) == (policy, lower_rate)
        )
        some = sorted(matching, key=lambda row: row[place])
        if some:
            name = f"{policy}, lower rate" if lower_rate else policy
            series.append(
                series_of(name, [row[place] / 1000 for row in some], [row[value] for row in some])
            )
    return series


def _against_bandwidth(scenario: Scenario, rows: Sequence[Row]) -> Chart:
    linked = [row for row in rows if row["link_bytes_per_s"]]
    return Chart(
        title=f"{scenario.dataset}: personal students against bandwidth",
        caption=f"What the link brings in {scenario.window_s:g} s, at the rate that fits.",
        x_label="bandwidth, kB/s",
        y_label="accuracy, 0 to 1",
        series=_series(linked, "accuracy", "link_bytes_per_s"),
    )


def _bars(scenario: Scenario, rows: Sequence[Row]) -> Chart:
    """Return personal and global students on the user's own data, at the budget of both."""
    shared = {row["policy"]: row["share"] for row in rows if row["student"] == "global"}
    series = []
    for student in ("personal", "global"):
        some = [
            row
            for policy in ORDER
            for row in rows
            if row["student"] == student
            and row["policy"] == policy
            and row["share"] == shared.get(policy)
            and not row["lower_rate"]
            and row["link_bytes_per_s"] is None
        ]
        series.append(
            series_of(
                student,
                [f"{row['policy']} {row['share']:.0%}" for row in some],
                [row["accuracy"] for row in some],
            )
        )
    return Chart(
        title=f"{scenario.dataset}: personal and global students",
        caption="Accuracy on the users' own data.",
        x_label="policy and share of the bank",
        y_label="accuracy, 0 to 1",
        series=series,
        kind="bars",
    )
