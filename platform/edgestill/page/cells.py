"""Pieces of tables as HTML; everything that is put into them is escaped."""

from collections.abc import Iterable, Sequence

from markupsafe import Markup

from edgestill.page.view import Point
from edgestill.report.theme import INK, LEVELS
from edgestill.report.units import NOTHING, share

STRIP_ROUNDS = 60

_UNKNOWN = "#808a98"


def chip(level: str) -> Markup:
    """Return a level as a word on its colour."""
    colour = LEVELS.get(level, _UNKNOWN)
    return Markup('<span class="chip" style="background:{};color:{}">{}</span>').format(
        colour, INK, level
    )


def meter(ratio: float | None) -> Markup:
    """Return a ratio 0..1 as a percentage over a bar of that length."""
    if ratio is None or ratio != ratio:
        return Markup("<span>{}</span>").format(NOTHING)
    length = f"{100 * min(1.0, max(0.0, ratio)):.0f}%"
    return Markup('<span class="meter" style="--share:{}">{}</span>').format(length, share(ratio))


def strip(points: Sequence[Point], group: str) -> Markup:
    """Return a group's level over the last rounds of the history, one coloured cell each."""
    shown = [point for point in points if group in point.levels][-STRIP_ROUNDS:]
    if not shown:
        return Markup("<span>{}</span>").format(NOTHING)
    cells = Markup("").join(
        Markup('<i style="background:{}" title="{}"></i>').format(
            LEVELS.get(point.levels[group], _UNKNOWN),
            f"round {point.round_number}: {point.levels[group]}",
        )
        for point in shown
    )
    return Markup('<span class="strip" role="img" aria-label="{}">{}</span>').format(
        spoken(shown, group), cells
    )


def spoken(points: Sequence[Point], group: str) -> str:
    """Return the same in words, such as ``high from round 1, low from round 4``."""
    said: list[str] = []
    before = ""
    for point in points:
        level = point.levels[group]
        if level != before:
            said.append(f"{level} from round {point.round_number}")
        before = level
    return ", ".join(said)


def table(caption: str, columns: Sequence[tuple[str, str]], rows: Iterable[Markup]) -> Markup:
    """Return a table.

    Args:
        caption: what it holds; for who does not see the heading above it.
        columns: heading and class of each; the class ``figure`` aligns to the right.
        rows: whole ``<tr>`` elements.
    """
    head = Markup("").join(
        Markup('<th scope="col" class="{}">{}</th>').format(kind, title) for title, kind in columns
    )
    return Markup(
        '<table><caption class="unseen">{}</caption><thead><tr>{}</tr></thead>'
        "<tbody>{}</tbody></table>"
    ).format(caption, head, Markup("").join(rows))


def row(columns: Sequence[tuple[str, str]], cells: Sequence[object], mark: str = "") -> Markup:
    """Return a row under these columns; its first cell is its heading."""
    first = Markup('<th scope="row" class="{}">{}</th>').format(columns[0][1], cells[0])
    others = (
        Markup('<td class="{}">{}</td>').format(kind, cell)
        for (_, kind), cell in zip(columns[1:], cells[1:], strict=True)
    )
    return Markup('<tr class="{}">{}{}</tr>').format(mark, first, Markup("").join(others))


def facts(pairs: Iterable[tuple[str, object]]) -> Markup:
    """Return names and values, one pair a line."""
    lines = (Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(*pair) for pair in pairs)
    return Markup('<dl class="facts">{}</dl>').format(Markup("").join(lines))


def nothing_yet(text: str) -> Markup:
    """Return what stands where there is nothing to show."""
    return Markup('<p class="soft">{}</p>').format(text)
