"""What the terminal shows when a run has ended."""

from collections.abc import Iterable

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from edgestill.report.decisions import change_table
from edgestill.report.schema import Report
from edgestill.report.summary import detail_tables, verdict_tables
from edgestill.report.table import FAILS, HOLDS, Table

MOST_CHANGES = 12

_STYLES = {HOLDS: "green", FAILS: "bold red", "unbounded": "yellow", "ours": "bold"}


def closing_table(report: Report) -> RenderableType:
    """Return the summary of a report as one rich renderable, made for 80 columns and more."""
    heading = Text.assemble((str(report["name"]), "bold"), f"  seed {report['seed']}")
    if report["rounds"]:
        heading.append(f"  rounds {len(report['rounds'])}")
    changes = change_table(report, most=MOST_CHANGES)
    tables = [*verdict_tables(report), *([changes] if changes.rows else []), *detail_tables(report)]
    return closing_group(heading, tables)


def closing_group(heading: Text, tables: Iterable[Table]) -> RenderableType:
    """Return a heading and the tables under it as one rich renderable."""
    return Group(heading, *(part for table in tables for part in (Text(), _rich(table))))


def _rich(table: Table) -> RichTable:
    made = RichTable(
        title=table.title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1),
    )
    for index, column in enumerate(table.columns):
        words = index < table.texts
        made.add_column(
            Text(column), justify="left" if words else "right", no_wrap=index == 0 or not words
        )
    for row in table.rows:
        # Text, not str: a name with square brackets is a name, not rich's markup.
        made.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
    return made
