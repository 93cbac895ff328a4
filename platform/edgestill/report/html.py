"""A report as one page that needs nothing but itself: figures, tables, light and dark, no network.

The content security policy in the page forbids every request, so neither plotly.js nor a name in a
report can reach another host.
"""

import json
import re
from collections.abc import Callable
from html import escape
from importlib.resources import files

from plotly.offline import get_plotlyjs

from edgestill.report.decisions import change_table
from edgestill.report.figures import Figure, figures
from edgestill.report.schema import Report
from edgestill.report.summary import detail_tables, total_bytes, verdict_tables
from edgestill.report.table import FAILS, HOLDS, Table, table
from edgestill.report.units import amount, duration, number, percent

_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; base-uri 'none'; form-action 'none'"
)
_VERDICTS = {HOLDS: "holds", FAILS: "fails", "unbounded": "fails"}
_LONG = 18
_BY_KEY: tuple[tuple[str, Callable[[float], str]], ...] = (
    (r"accuracy$", percent),
    (r"bytes$", lambda value: amount(value, "B")),
    (r"flops", lambda value: amount(value, "FLOP")),
    (r"_s$", duration),
)


def page(report: Report) -> str:
    """Return the whole HTML document of a checked report."""
    drawn = figures(report)
    title = f"{report['name']} - edgestill report"
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
            _header(report),
            "<main>",
            *(_section(found) for found in verdict_tables(report)),
            *(_figure(figure) for figure in drawn),
            *(_section(found) for found in (change_table(report),) if found.rows),
            *(_section(found) for found in detail_tables(report)),
            '<div class="columns">',
            *(_section(found) for found in _background(report)),
            "</div>",
            "</main>",
            "<footer>Made by edgestill. Figures are drawn by plotly.js (MIT licence).</footer>",
            *(_scripts(drawn) if drawn else ()),
            "</body>",
            "</html>",
            "",
        ]
    )


def _header(report: Report) -> str:
    command = report.get("command")
    said = f"<p><code>{escape(str(command))}</code></p>" if command else ""
    run = f"seed {report['seed']}, {len(report['rounds'])} rounds"
    tiles = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in _tiles(report)
    )
    return (
        f'<header><h1>{escape(str(report["name"]))}</h1><p class="soft">{escape(run)}</p>{said}'
        f'<dl class="tiles">{tiles}</dl>'
        "<noscript><p>The figures need JavaScript; each has its values as a table.</p></noscript>"
        "</header>"
    )


def _tiles(report: Report) -> list[tuple[str, str]]:
    final, teacher = report["final"], report.get("teacher") or {}
    tiles = (
        ("accuracy", final.get("accuracy"), percent),
        ("teacher", teacher.get("accuracy"), percent),
        ("uplink", total_bytes(report, "uplink_bytes"), lambda value: amount(value, "B")),
        ("downlink", total_bytes(report, "downlink_bytes"), lambda value: amount(value, "B")),
        ("energy", final.get("energy_j"), lambda value: amount(value, "J")),
        ("virtual time", final.get("time_s"), duration),
    )
    return [(name, text(value)) for name, value, text in tiles if value is not None]


def _section(found: Table) -> str:
    heading = f"<h2>{escape(found.title)}</h2>"
    return f"<section>{heading}{_table(found)}</section>"


def _figure(figure: Figure) -> str:
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


def _background(report: Report) -> list[Table]:
    """Return the tables that say on what, where and by what the figures were measured."""
    sections = (
        ("Data", report.get("data")),
        ("Teacher", report.get("teacher")),
        ("Engine", report.get("engine")),
        ("Machine", report.get("hardware")),
        ("Versions", report.get("versions")),
        ("Configuration", {"digest": report.get("config_digest")}),
    )
    made = []
    for title, values in sections:
        given = {key: value for key, value in (values or {}).items() if value is not None}
        if given:
            rows = [(_label(key), _plain(key, value)) for key, value in given.items()]
            made.append(table(title, ("what", "value"), rows, texts=2))
    return made


def _label(key: str) -> str:
    """Return a key as words; a unit that the value shows anyway is dropped."""
    return key.removesuffix("_s").removesuffix("_bytes").replace("_", " ")


def _plain(key: str, value: object) -> str:
    """Return a value as text, its unit taken from its key."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(name, item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_plain(key, item) for item in value) or "none"
    if isinstance(value, int | float) and not isinstance(value, bool):
        for pattern, text in _BY_KEY:
            if re.search(pattern, key):
                return text(value)
    return number(value)


def _scripts(drawn: list[Figure]) -> list[str]:
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
