"""What the terminal shows when an app's run has ended."""

from collections.abc import Mapping
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from edgestill.report import closing_group
from edgestill.report.table import Table, table
from edgestill.report.units import NOTHING, duration, number

MOST_ROUNDS = 12
"""With more of them, the first and the last are shown."""

Report = Mapping[str, Any]


def closing_table(report: Report) -> RenderableType:
    """Return the rounds, and what came out, as one rich renderable."""
    heading = Text.assemble((str(report["name"]), "bold"), f"  seed {report['seed']}")
    tables = [found for found in (_rounds(report), _summary(report)) if found.rows]
    return closing_group(heading, tables)


def _rounds(report: Report) -> Table:
    rounds = [row for row in report["rounds"] if row["round"] > 0]
    shown = rounds if len(rounds) <= MOST_ROUNDS else [rounds[0], *rounds[1 - MOST_ROUNDS :]]
    columns = ("round", "metrics", "trained", "failed", "wall", "fits/s")
    return table("Rounds", columns, [_round(row) for row in shown], texts=2)


def _round(row: Mapping[str, Any]) -> tuple[str, ...]:
    train = row["work"].get("train", {"asked": 0, "answered": 0})
    failed = sum(sum(work["failed"].values()) for work in row["work"].values())
    return (
        str(row["round"]),
        _metrics(row),
        f"{train['answered']} of {train['asked']}",
        str(failed) if failed else NOTHING,
        duration(row["wall_s"]),
        number(row["fits_per_s"]),
    )


def _metrics(row: Mapping[str, Any]) -> str:
    found = [("server", row["server_metrics"])] if row["server_metrics"] else []
    found += [(kind, work["metrics"]) for kind, work in row["work"].items() if work["metrics"]]
    return "; ".join(f"{kind}: {_pairs(metrics)}" for kind, metrics in found) or NOTHING


def _pairs(metrics: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {number(value)}" for name, value in metrics.items())


def _summary(report: Report) -> Table:
    final, engine = report["final"], report["engine"]
    failed = ", ".join(f"{reason} {count}" for reason, count in final["failed"].items())
    rows = (
        ("strategy", final["strategy"] or NOTHING),
        ("devices", f"{report['devices']:,} on {engine['cohorts']} cohorts"),
        ("devices trained", number(final["fits"])),
        ("trained per second", number(final["fits_per_s"])),
        ("trained per second from round 2", number(final["fits_per_s_warm"])),
        ("failed", failed or "none"),
        ("cohorts replaced", number(engine["actor_restarts"])),
        ("parameters", number(final["parameters"])),
        ("wall time", duration(final["wall_s"])),
    )
    return table("Run", ("what", "figure"), rows)
