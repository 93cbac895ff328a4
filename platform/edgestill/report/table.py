"""A table of texts, before anyone decides whether it goes to a terminal or to a page."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

HOLDS, FAILS = "holds", "does not hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A title, column names and rows of text.

    ``texts`` is how many of the first columns are words (aligned left, may wrap); the others are
    figures (aligned right, never wrap).
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: int = 1


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], *, texts: int = 1
) -> Table:
    """Return a table.

    Raises:
        ValueError: if a row has not as many cells as there are columns.
    """
    cells = tuple(tuple(row) for row in rows)
    for row in cells:
        if len(row) != len(columns):
            raise ValueError(f"{title}: {len(row)} cells under {len(columns)} columns")
    return Table(title=title, columns=tuple(columns), rows=cells, texts=texts)
