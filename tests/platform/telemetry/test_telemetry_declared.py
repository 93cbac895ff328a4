import pytest

from edgestill.telemetry import DECLARED, METRICS, SERVING, Metric

# Every label whose values do not grow with the fleet or with time; `device` is capped on export.
BOUNDED = {
    *("group", "kind", "level", "model", "policy", "profile", "reason", "split"),
    *("term", "tier", "what", "device"),
    *("action", "cohort", "fault", "mode", "node", "outcome", "signal", "state", "statistic"),
    "status",
}


def test_names_are_unique_and_labels_bounded() -> None:
    assert len(DECLARED) == len(METRICS) + len(SERVING)
    assert {label for metric in DECLARED.values() for label in metric.labels} <= BOUNDED


def test_per_device_families_are_gauges_with_the_device_label_alone() -> None:
    named = {metric.name for metric in METRICS if "device" in metric.labels}
    assert named == {metric.name for metric in METRICS if metric.per_device}
    assert all(DECLARED[name].kind == "gauge" for name in named)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": "round", "kind": "gauge"}, "edgestill_"),
        ({"name": "edgestill_rounds", "kind": "counter"}, "_total"),
        ({"name": "edgestill_rounds_total", "kind": "gauge"}, "_total"),
        ({"name": "edgestill_wall_seconds", "kind": "histogram"}, "buckets"),
        ({"name": "edgestill_wait", "kind": "histogram", "buckets": (2.0, 1.0)}, "ascend"),
    ],
)
def test_a_declaration_against_the_conventions_is_refused(
    wrong: dict[str, object], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        Metric(help="Something.", **wrong)  # type: ignore[arg-type]
