"""What the allocator changed in a run, and why: which signal, which rule, what came of it."""

from collections.abc import Iterator

from edgestill.report.schema import Report
from edgestill.report.table import Table, table
from edgestill.report.units import NOTHING

COLUMNS = ("round", "group", "change", "signals", "why")


def change_table(report: Report, *, most: int | None = None) -> Table:
    """Return one row for each change of a group's level, in the order of rounds.

    Args:
        report: a checked report.
        most: rows to show; of more, the last ones are left out and counted in the title.
    """
    rows = list(_changes(report))
    shown = rows if most is None else rows[:most]
    left_out = len(rows) - len(shown)
    more = f" (the first {len(shown)}; {left_out} more in report.html)" if left_out else ""
    return table(f"What the allocator changed{more}", COLUMNS, shown, texts=len(COLUMNS))


def _changes(report: Report) -> Iterator[tuple[str, ...]]:
    before: dict[str, str] = {}
    for entry in report["rounds"]:
        levels = entry.get("levels") or {}
        states, reasons = entry.get("decision_states") or {}, entry.get("reasons") or {}
        for group in entry.get("changed") or ():
            yield (
                str(entry["round"]),
                group,
                f"{before.get(group, NOTHING)} to {levels.get(group, NOTHING)}",
                states.get(group, NOTHING),
                reasons.get(group, NOTHING),
            )
        before = levels
