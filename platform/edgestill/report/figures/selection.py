"""Which of the teacher's knowledge was asked for, by class."""

from edgestill.report.figures.plot import Figure, Trace, escaped
from edgestill.report.schema import Report
from edgestill.report.table import table
from edgestill.report.theme import MODELS
from edgestill.report.units import NOTHING, percent

_SHARES = {
    "public": ("public part", MODELS["teacher"]),
    "private_noised": ("devices' noised summaries", MODELS["cloud_only"]),
    "selected": ("selected samples", MODELS["ours"]),
}


def selection(report: Report) -> Figure | None:
    """Return the share of each class in the public part, in the summaries, and in what was sent."""
    part = report.get("selection") or {}
    shares = {key: part.get("class_share", {}).get(key) for key in _SHARES}
    given = {key: list(values) for key, values in shares.items() if values}
    if not given:
        return None
    count = max(len(values) for values in given.values())
    classes = [str(name) for name in part.get("classes") or range(count)]
    names = [_SHARES[key][0] for key in given]
    rows = [
        [name, *(percent(v[i]) if i < len(v) else NOTHING for v in given.values())]
        for i, name in enumerate(classes)
    ]
    policy = part.get("policy", "relevance")
    return Figure(
        key="selection",
        title="Selection by class",
        caption=f"Policy: {policy}. What the devices were sent (selected) should lean from what "
        "the teacher has (public) towards what they see (their noised summaries).",
        data=tuple(_bars(key, classes, values) for key, values in given.items()),
        layout={
            "height": 320,
            "barmode": "group",
            "xaxis": {
                "type": "category",
                "showgrid": False,
                "title": {"text": "class", "standoff": 6},
            },
            "yaxis": {"tickformat": ".0%", "rangemode": "tozero"},
        },
        table=table("Share of each class", ("class", *names), rows),
    )


def _bars(key: str, classes: list[str], values: list[float]) -> Trace:
    name, colour = _SHARES[key]
    return {
        "type": "bar",
        "name": name,
        "x": [escaped(name) for name in classes[: len(values)]],
        "y": values,
        "marker": {"color": colour},
        "showlegend": True,
        "hovertemplate": "%{y:.1%}",
    }
