import json
import re
from html.parser import HTMLParser
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest
from plotly.offline import get_plotlyjs

from edgestill.report import SCHEMA, write_report
from edgestill.report.figures import figures
from edgestill.report.table import table
from edgestill.report.theme import BACKGROUNDS, INK, LEVELS, MODELS, colours

KEYS = [
    *("accuracy", "levels", "devices-by-level", "traffic", "spending", "participation"),
    *("losses", "coefficients", "selection"),
]


def page_of(folder: Path, report: dict[str, Any]) -> str:
    """Return the page without plotly.js, which is not ours to judge."""
    return write_report(folder, report)[1].read_text().replace(get_plotlyjs(), "")


class Outline(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_every_figure_is_valid_plotly_and_has_its_table(sample_report: dict[str, Any]) -> None:
    drawn = figures(sample_report)
    assert [figure.key for figure in drawn] == KEYS
    for figure in drawn:
        go.Figure(data=list(figure.data), layout=figure.layout)  # refuses unknown properties
        assert figure.table.rows
        assert all(len(row) == len(figure.table.columns) for row in figure.table.rows)


@pytest.mark.parametrize(
    ("absent", "keys"),
    [
        ({"accuracy"}, {"accuracy"}),
        ({"levels"}, {"levels"}),
        ({"devices_by_level"}, {"devices-by-level"}),
        ({"uplink_bytes", "downlink_bytes"}, {"traffic"}),
        ({"energy_j", "duration_s"}, {"spending"}),
        ({"completed", "late", "failed", "skipped"}, {"participation"}),
        ({"loss_terms"}, {"losses"}),
        ({"coefficients"}, {"coefficients"}),
    ],
)
def test_a_figure_without_data_is_left_out(
    sample_report: dict[str, Any], absent: set[str], keys: set[str]
) -> None:
    sample_report["rounds"] = [
        {key: value for key, value in entry.items() if key not in absent}
        for entry in sample_report["rounds"]
    ]
    assert {figure.key for figure in figures(sample_report)} == set(KEYS) - keys


def test_one_round_and_gaps_in_rounds_are_drawn(sample_report: dict[str, Any]) -> None:
    first, second = sample_report["rounds"][:2]
    gaps = {"round": second["round"], "accuracy": None, "levels": {"phones": "low"}}
    for rounds in ([first], [first, gaps]):
        for figure in figures(sample_report | {"rounds": rounds}):
            go.Figure(data=list(figure.data), layout=figure.layout)


def test_panels_stack_from_the_top_without_overlap(sample_report: dict[str, Any]) -> None:
    layout = next(item.layout for item in figures(sample_report) if item.key == "coefficients")
    domains = [layout[key]["domain"] for key in ("yaxis", "yaxis2", "yaxis3", "yaxis4")]
    assert domains[0][1] == 1
    assert domains[-1][0] == pytest.approx(0)
    assert all(upper[0] > lower[1] for upper, lower in pairwise(domains))


def test_the_page_is_whole_named_and_asks_nobody(
    tmp_path: Path, sample_report: dict[str, Any]
) -> None:
    page = page_of(tmp_path, sample_report)
    outline = Outline(page)
    assert outline.open == []
    assert ("html", {"lang": "en"}) in outline.tags
    metas = {attrs.get("name") or attrs.get("http-equiv"): attrs for _, attrs in outline.tags}
    assert "width=device-width" in str(metas["viewport"]["content"])
    assert "default-src 'none'" in str(metas["Content-Security-Policy"]["content"])
    assert "<title>demo - edgestill report</title>" in page
    assert "prefers-color-scheme: dark" in page
    assert not re.search(r"https?://|\bsrc=|\bhref=|@import|url\(", page)
    ids = [attrs["id"] for _, attrs in outline.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert all(f"plot-{key}" in ids for key in KEYS)


def test_plotly_is_in_the_page_once_and_only_if_drawn(
    tmp_path: Path, sample_report: dict[str, Any]
) -> None:
    page = write_report(tmp_path, sample_report)[1].read_text()
    assert page.count(get_plotlyjs()) == 1
    bare = {"schema": SCHEMA, "name": "bare", "seed": 1, "rounds": [], "final": {}}
    assert "<script" not in write_report(tmp_path, bare)[1].read_text()


def test_texts_from_the_run_cannot_become_markup(
    tmp_path: Path, sample_report: dict[str, Any]
) -> None:
    evil = "</script><img src=x onerror=alert(1)>"
    sample_report["name"] = sample_report["command"] = evil
    sample_report["data"]["name"] = evil
    sample_report["selection"]["classes"][0] = evil
    sample_report["rounds"][3]["reasons"] = {"phones": evil}
    sample_report["privacy"]["leaves_device"][0]["what"] = evil
    sample_report["rounds"][0]["levels"][evil] = "low"
    page = page_of(tmp_path, sample_report)
    assert "<img" not in page
    assert not [tag for tag, _ in Outline(page).tags if tag == "img"]
    inside = re.search(r'<script type="application/json" id="figures">(.*?)</script>', page)
    assert inside is not None
    assert [figure["key"] for figure in json.loads(inside[1])] == KEYS


def luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_colours_stand_out_from_both_backgrounds() -> None:
    series = {*MODELS.values(), *LEVELS.values(), *colours([str(i) for i in range(8)]).values()}
    for colour, background in product(series, BACKGROUNDS):
        assert contrast(colour, background) >= 3, (colour, background)
    assert all(contrast(INK, colour) >= 4.5 for colour in LEVELS.values())


def test_the_style_sheet_uses_the_backgrounds_that_colours_are_tested_on(
    tmp_path: Path, sample_report: dict[str, Any]
) -> None:
    page = page_of(tmp_path, sample_report)
    assert tuple(re.findall(r"--page: (#\w{6})", page)) == BACKGROUNDS


def test_a_table_refuses_a_row_of_another_length() -> None:
    with pytest.raises(ValueError, match="1 cells under 2 columns"):
        table("t", ("a", "b"), [("x",)])
