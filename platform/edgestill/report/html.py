"""A run's report as one page: verdicts, figures, tables, and on what they were measured."""

import re
from collections.abc import Callable
from html import escape

from edgestill.report.decisions import change_table
from edgestill.report.document import document, figure_part, section
from edgestill.report.figures import figures
from edgestill.report.schema import Report
from edgestill.report.summary import detail_tables, total_bytes, verdict_tables
from edgestill.report.table import Table, table
from edgestill.report.units import amount, duration, number, percent

_BY_KEY: tuple[tuple[str, Callable[[float], str]], ...] = (
    (r"accuracy$", percent),
    (r"bytes$", lambda value: amount(value, "B")),
    (r"flops", lambda value: amount(value, "FLOP")),
    (r"_s$", duration),
)


def page(report: Report) -> str:
    """Return the whole HTML document of a checked report."""
    drawn = figures(report)
    return document(
        f"{report['name']} - edgestill report",
        header=_header(report),
        body=[
            *(section(found) for found in verdict_tables(report)),
            *(figure_part(figure) for figure in drawn),
            *(section(found) for found in (change_table(report),) if found.rows),
            *(section(found) for found in detail_tables(report)),
            '<div class="columns">',
            *(section(found) for found in _background(report)),
            "</div>",
        ],
        drawn=drawn,
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
