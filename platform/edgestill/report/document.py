"""One HTML page that needs nothing but itself: figures, tables, light and dark, no network.

The content security policy in the page forbids every request, so neither plotly.js nor a name in
what is shown can reach another host.
"""

import json
from collections.abc import Sequence
from html import escape
from importlib.resources import files

from plotly.offline import get_plotlyjs

from edgestill.report.figures import Figure
from edgestill.report.table import FAILS, HOLDS, Table

_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; base-uri 'none'; form-action 'none'"
)
_VERDICTS = {HOLDS: "holds", FAILS: "fails", "unbounded": "fails"}
_LONG = 18


def document(title: str, *, header: str, body: Sequence[str], drawn: Sequence[Figure]) -> str:
    """Return the whole document.

    Args:
        title: of the window, plain text.
        header: HTML of the page's head.
        body: HTML of the parts, in reading order, those of ``drawn`` among them.
        drawn: the figures that the page's script draws.
    """
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            f"<title>{escape(title)}</title>",
            f"<style>{_asset('page.css')}</style>",
            "</head>",
            "<body>",
            header,
            "<main>",
            *body,
            "</main>",
            "<footer>Made by edgestill. Figures are drawn by plotly.js (MIT licence).</footer>",
            *(_scripts(drawn) if drawn else ()),
            "</body>",
            "</html>",
            "",
        ]
    )


def section(found: Table) -> str:
    """Return a table under its heading."""
    heading = f"<h2>{escape(found.title)}</h2>"
    return f"<section>{heading}{_table(found)}</section>"


def figure_part(figure: Figure) -> str:
    """Return the place of a figure, with its values as a table."""
    key, title = escape(figure.key), escape(figure.title)
    return (
        f'<figure aria-labelledby="title-{key}"><figcaption>'
        f'<h2 id="title-{key}">{title}</h2><p>{escape(figure.caption)}</p></figcaption>'
        f'<div class="plot" id="plot-{key}" role="img" aria-label="{title}; values below"></div>'
        f"<details><summary>Values as a table</summary>{_table(figure.table)}</details></figure>"
    )


def _table(found: Table) -> str:
    head = "".join(
        f'<th scope="col"{_class(index, found, "")}>{escape(column)}</th>'
        for index, column in enumerate(found.columns)
    )
    body = "".join(f"<tr>{_row(row, found)}</tr>" for row in found.rows)
    # Focusable, so that a wide table can be scrolled by keyboard.
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(found.title)}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _row(row: tuple[str, ...], found: Table) -> str:
    cells = []
    for index, cell in enumerate(row):
        tag, scope = ("th", ' scope="row"') if index == 0 else ("td", "")
        cells.append(f"<{tag}{scope}{_class(index, found, cell)}>{_unbroken(cell)}</{tag}>")
    return "".join(cells)


def _unbroken(cell: str) -> str:
    # A percent sign alone on a line reads badly on a phone.
    return escape(cell).replace(" %", "&nbsp;%")


def _class(index: int, found: Table, cell: str) -> str:
    names = [] if index < found.texts else ["figure"]
    if cell in _VERDICTS:
        names.append(_VERDICTS[cell])
    if index < found.texts and len(cell) > _LONG:
        names.append("long")
    return f' class="{" ".join(names)}"' if names else ""


def _scripts(drawn: Sequence[Figure]) -> list[str]:
    plots = [{"key": item.key, "data": item.data, "layout": item.layout} for item in drawn]
    # Inside <script> only "</" and "<!--" could end it; a JSON string may spell "<" otherwise.
    text = json.dumps(plots, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    return [
        f'<script type="application/json" id="figures">{text}</script>',
        f"<script>{get_plotlyjs()}</script>",
        f"<script>{_asset('page.js')}</script>",
    ]


def _asset(name: str) -> str:
    return (files("edgestill.report") / "assets" / name).read_text(encoding="utf-8")
