import math

import promql_parser
import pytest

from edgestill.allocation import GroupSignals, RegistrySource, SignalSource, group_signals
from edgestill.allocation.sources import escaped

USABLE = {
    "cpu_ratio": 0.4,
    "free_memory_bytes": 1e8,
    "battery_ratio": 0.9,
    "temperature_c": 31.0,
}


class Gauges:
    def __init__(self, values: dict[tuple[str, str], float]) -> None:
        self.values = values

    def value(self, name: str, **labels: str) -> float | None:
        return self.values.get((name, labels["group"]))


def test_gauges_become_signals_and_a_gauge_never_set_is_none() -> None:
    store = Gauges(
        {
            ("edgestill_group_cpu_ratio", "phones"): 0.4,
            ("edgestill_group_free_memory_bytes", "phones"): 1e8,
            ("edgestill_group_battery_ratio", "phones"): 0.9,
            ("edgestill_group_temperature_celsius", "phones"): 31.0,
            ("edgestill_group_cpu_ratio", "boards"): 0.1,
        }
    )
    source: SignalSource = RegistrySource(store=store, groups=("phones", "boards"))
    snapshot = source.read(3, 120.0)
    assert (snapshot.round_number, snapshot.time_s) == (3, 120.0)
    assert snapshot.source_error is None
    assert snapshot.groups == {
        "phones": GroupSignals(
            cpu_ratio=0.4, free_memory_bytes=1e8, battery_ratio=0.9, temperature_c=31.0
        ),
        "boards": GroupSignals(
            cpu_ratio=0.1,
            faults=dict.fromkeys(
                ("free_memory_bytes", "battery_ratio", "temperature_c"), "missing"
            ),
        ),
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cpu_ratio", 1.01),
        ("cpu_ratio", -0.01),
        ("cpu_ratio", math.nan),
        ("battery_ratio", 100.0),
        ("free_memory_bytes", -1.0),
        ("free_memory_bytes", math.inf),
        ("temperature_c", -81.0),
        ("temperature_c", 318.0),
        ("temperature_c", -math.inf),
    ],
)
def test_a_value_that_cannot_be_is_absurd(name: str, value: float) -> None:
    signals = group_signals({**USABLE, name: value}, age_s=0.0, stale_after_s=30.0)
    assert signals.faults == {name: "absurd"}
    assert getattr(signals, name) is None
    kept = {other: getattr(signals, other) for other in USABLE if other != name}
    assert kept == {other: USABLE[other] for other in kept}


@pytest.mark.parametrize("value", [1.0 + 2e-16, 1.0, 0.0, -1e-17])
def test_the_rounding_of_a_mean_is_not_absurd(value: float) -> None:
    signals = group_signals({"cpu_ratio": value}, age_s=0.0, stale_after_s=30.0)
    assert signals.cpu_ratio == round(value)


@pytest.mark.parametrize("age_s", [30.1, None, math.nan, math.inf, -1.0])
def test_samples_too_old_or_of_unknown_age_are_stale(age_s: float | None) -> None:
    signals = group_signals({**USABLE, "cpu_ratio": None}, age_s=age_s, stale_after_s=30.0)
    assert signals.faults == {
        "cpu_ratio": "missing",
        "free_memory_bytes": "stale",
        "battery_ratio": "stale",
        "temperature_c": "stale",
    }
    assert signals.age_s == (30.1 if age_s == 30.1 else None)


def test_samples_of_just_the_age_are_used() -> None:
    assert group_signals(USABLE, age_s=30.0, stale_after_s=30.0).faults == {}


@pytest.mark.parametrize("quote", ["'", '"'])
def test_a_label_is_escaped_for_either_quote(quote: str) -> None:
    text = escaped("a'b\"c\\d\n\u00e9$-1.x")
    parsed = promql_parser.parse(f"up{{run={quote}{text}{quote}}}")
    assert parsed.matchers.matchers[0].value == "a'b\"c\\d\n\u00e9$-1.x"
