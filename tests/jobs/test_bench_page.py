"""A benchmark's page: claims with their verdicts, curves with intervals, pictures, no request."""

import json
import re

import numpy as np
import pytest

from edgestill.jobs.benchmarks.charts import Chart, PictureRow, Pictures, Series, png
from edgestill.jobs.benchmarks.form import Measured, ResultTable, at_least
from edgestill.jobs.benchmarks.page import benchmark_page

CURVES = Chart(
    title="Accuracy against bytes",
    caption="Up and to the left is better.",
    x_label="bytes",
    y_label="accuracy",
    series=[
        Series(name="ours <b>", x=[10, 100], y=[0.5, 0.75], low=[0.4, 0.7], high=[0.7, 0.8]),
        Series(name="JPEG", x=[100, 1000], y=[0.5, None]),
    ],
    logarithmic_x=True,
)
BARS = Chart(
    title="Ablation",
    caption="Each without one part.",
    x_label="left out",
    y_label="accuracy",
    series=[Series(name="test", x=["none", "router"], y=[0.9, 0.8])],
    kind="bars",
)
SEEN = Pictures(
    title="Reconstructions",
    caption="What the attack saw.",
    rows=[PictureRow(label="raw", pictures=[png(np.eye(4)), png(np.ones((3, 4, 4)))])],
)


@pytest.fixture(scope="module")
def page():
    measured = Measured(
        configuration={"seeds": [1, 2]},
        results={},
        claims=[at_least("gain", 0.1, 0.2, "ratio")],
        tables=[ResultTable(title="By seed", columns=("seed", "accuracy"), rows=[("1", "0.5")])],
        charts=[CURVES, BARS, SEEN],
    )
    return benchmark_page("sample", measured, "edgestill bench sample --out 'a b'")


def figures(page):
    found = re.search(r'<script type="application/json" id="figures">(.*?)</script>', page)
    return json.loads(found[1])


def test_a_claim_that_fails_is_shown_as_such(page):
    row = re.search(r"<tr><th[^>]*>gain</th>.*?</tr>", page)
    assert row
    assert 'fails">does not hold' in row[0]


def test_curves_carry_their_intervals_and_names_as_text(page):
    ours, other = figures(page)[0]["data"]
    assert ours["error_y"]["array"] == pytest.approx([0.2, 0.05])
    assert ours["error_y"]["arrayminus"] == pytest.approx([0.1, 0.05])
    assert ours["name"] == "ours &lt;b>"
    assert other["y"] == [0.5, None]
    assert figures(page)[0]["layout"]["xaxis"]["type"] == "log"


def test_bars_are_bars_and_every_chart_has_its_values_as_a_table(page):
    assert figures(page)[1]["data"][0]["type"] == "bar"
    assert page.count("Values as a table") == 2


def test_pictures_are_inside_the_page_which_may_ask_for_nothing(page):
    assert "default-src 'none'" in page
    outside_scripts = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert outside_scripts.count('src="data:image/png;base64,') == 2
    assert not re.search(r'(?:src|href)="(?!data:)', outside_scripts)
