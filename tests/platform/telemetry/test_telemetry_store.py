import copy
import json
import math
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.parser import text_string_to_metric_families

from edgestill.telemetry import METRICS, MetricStore
from edgestill.telemetry.exposition import Renderer
from edgestill.telemetry.families import Contents, families

CPU, BATTERY = "edgestill_group_cpu_ratio", "edgestill_device_battery_ratio"
UPLINK = "edgestill_uplink_bytes_total"


def samples(store: MetricStore) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = store.exposition().decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


class Only:
    """A collector of one family."""

    def __init__(self, family: Family) -> None:
        self._family = family

    def collect(self) -> list[Family]:
        return [self._family]


def filled() -> MetricStore:
    store = MetricStore(max_device_series=3)
    store.set(CPU, 0.25, group="phones")
    store.set(CPU, math.nan, group="boards")
    store.set("edgestill_privacy_epsilon", math.inf, what="update")
    store.inc(UPLINK, 1500, group="phones", kind="update")
    store.observe("edgestill_round_wall_seconds", 0.1)
    store.observe("edgestill_round_wall_seconds", 7.0)
    store.observe("edgestill_round_wall_seconds", 1e4)
    store.set_devices(BATTERY, np.array([9, 4, 7, 2, 5]), np.array([0.9, 0.4, 0.7, 0.2, 0.5]))
    return store


def test_gauges_keep_the_last_value_and_counters_add() -> None:
    store = MetricStore()
    assert store.value(CPU, group="phones") is None
    store.set(CPU, 0.5, group="phones")
    store.set(CPU, 0.25, group="phones")
    store.inc(UPLINK, 10, group="phones", kind="model")
    store.inc(UPLINK, amount=5, group="phones", kind="model")
    assert store.value(CPU, group="phones") == 0.25
    assert store.value(UPLINK, kind="model", group="phones") == 15


def test_counters_without_labels_are_there_from_the_start() -> None:
    store = MetricStore()
    assert store.value("edgestill_devices_lost_total") == 0
    assert samples(store)[("edgestill_devices_lost_total", ())] == 0


def test_the_exposition_shows_exactly_the_declared_names() -> None:
    lines = MetricStore().exposition().decode().splitlines()
    typed = [tuple(line.split()[2:]) for line in lines if line.startswith("# TYPE")]
    assert typed == [(metric.name, metric.kind) for metric in METRICS]


def test_histogram_buckets_are_cumulative_and_include_their_bound() -> None:
    found = samples(filled())
    name = "edgestill_round_wall_seconds"
    assert found[(f"{name}_bucket", (("le", "0.1"),))] == 1
    assert found[(f"{name}_bucket", (("le", "5.0"),))] == 1
    assert found[(f"{name}_bucket", (("le", "10.0"),))] == 2
    assert found[(f"{name}_bucket", (("le", "600.0"),))] == 2
    assert found[(f"{name}_bucket", (("le", "+Inf"),))] == 3
    assert found[(f"{name}_count", ())] == 3
    assert found[(f"{name}_sum", ())] == pytest.approx(10_007.1)


def test_devices_beyond_the_cap_are_left_out_lowest_ids_first() -> None:
    store = filled()
    exported = {key[1][0][1] for key in samples(store) if key[0] == BATTERY}
    assert exported == {"2", "4", "5"}
    assert store.value(BATTERY, device=4) == 0.4
    assert store.value(BATTERY, device=9) is None


def test_set_devices_replaces_and_copies() -> None:
    store, values = MetricStore(), np.array([0.5, 0.6])
    store.set_devices(BATTERY, np.array([1, 2]), values)
    values[:] = 0.0
    assert store.value(BATTERY, device=1) == 0.5
    store.set_devices(BATTERY, np.array([2]), np.array([0.1]))
    assert store.value(BATTERY, device=1) is None


def test_a_cap_of_zero_exports_no_device() -> None:
    store = MetricStore(max_device_series=0)
    store.set_devices(BATTERY, np.arange(5), np.ones(5))
    assert not [key for key in samples(store) if key[0] == BATTERY]


@pytest.mark.parametrize(
    ("verb", "args", "labels", "said"),
    [
        ("set", ("edgestill_nothing", 1.0), {}, "no such metric"),
        ("set", (CPU, 1.0), {}, "labels must be group"),
        ("set", (CPU, 1.0), {"group": "a", "level": "high"}, "labels must be group"),
        ("set", (UPLINK, 1.0), {"group": "a", "kind": "b"}, "is a counter"),
        ("set", (BATTERY, 1.0), {"device": 3}, "set_devices"),
        ("inc", (CPU, 1.0), {"group": "a"}, "is a gauge"),
        ("inc", ("edgestill_rounds_total", -1.0), {}, "finite amount >= 0"),
        ("inc", ("edgestill_rounds_total", math.nan), {}, "finite amount >= 0"),
        ("observe", ("edgestill_round_wall_seconds", math.inf), {}, "finite"),
        ("value", ("edgestill_round_wall_seconds",), {}, "is a histogram"),
        ("set_devices", (CPU, np.arange(2), np.ones(2)), {}, "the one label device"),
        ("set_devices", (BATTERY, np.arange(2), np.ones(3)), {}, "expected"),
        ("set_devices", (BATTERY, np.array([1, 1]), np.ones(2)), {}, "distinct"),
    ],
)
def test_mistakes_are_refused_and_named(
    verb: str, args: tuple[object, ...], labels: dict[str, object], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        getattr(MetricStore(), verb)(*args, **labels)


def test_state_is_strict_json_and_restores_the_same_exposition() -> None:
    text = json.dumps(filled().state(), allow_nan=False)
    restored, whole = MetricStore(), filled()
    restored.restore(json.loads(text))
    # Devices are set anew by each round, and are no part of the state.
    restored.set_devices(BATTERY, *whole.snapshot().devices[BATTERY])
    assert restored.exposition() == whole.exposition()
    restored.inc(UPLINK, 1, group="phones", kind="update")
    assert restored.value(UPLINK, group="phones", kind="update") == 1501


@pytest.mark.parametrize(
    "wrong",
    [
        {"numbers": [["edgestill_gone", [], 1.0]]},
        {"numbers": [[CPU, [], 1.0]]},
        {"histograms": [["edgestill_round_wall_seconds", [], [1, 2], 3.0]]},
    ],
)
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(
    wrong: dict[str, list[object]],
) -> None:
    store, before = filled(), filled().exposition()
    with pytest.raises(ValueError, match="edgestill_"):
        store.restore({"numbers": [], "histograms": [], **wrong})
    assert store.exposition() == before


def test_a_snapshot_travels_whole_and_is_shown_elsewhere() -> None:
    there, sent = MetricStore(), copy.deepcopy(filled().snapshot())
    there.show(sent)
    assert there.exposition() == filled().exposition()
    there.inc(UPLINK, 1, group="phones", kind="update")
    assert there.value(UPLINK, group="phones", kind="update") == 1501


def test_a_snapshot_without_devices_leaves_those_that_are_shown() -> None:
    there, sent = MetricStore(), filled().snapshot()
    there.show(sent)
    there.show(Contents(numbers={"edgestill_round": {(): 7.0}}), keep_devices=True)
    assert there.value("edgestill_round") == 7
    assert there.value(CPU, group="phones") is None
    assert there.snapshot().devices[BATTERY] is sent.devices[BATTERY]


def test_all_series_of_a_gauge_are_replaced() -> None:
    store = MetricStore()
    store.set(CPU, 0.5, group="phones")
    store.set_all(CPU, {("boards",): 0.25})
    assert store.value(CPU, group="phones") is None
    assert store.value(CPU, group="boards") == 0.25
    with pytest.raises(ValueError, match="labels must be group"):
        store.set_all(CPU, {(): 0.25})


def test_device_lines_are_as_the_client_library_writes_them() -> None:
    store = MetricStore()
    values = np.array([0.1, 1e-9, 1e22, 123456789.0, math.nan, math.inf, -math.inf, -0.0])
    store.set_devices(BATTERY, np.arange(len(values)), values)
    family = next(f for f in families(store.snapshot()) if f.name == BATTERY)
    ours = [line for line in store.exposition().decode().splitlines() if BATTERY in line]
    registry = CollectorRegistry()
    registry.register(Only(family))
    theirs = generate_latest(registry).decode().splitlines()
    assert ours[:2] == theirs[:2]
    assert samples(store)[BATTERY, (("device", "2"),)] == 1e22
    plain = [0, 4, 5, 6, 7]
    assert [ours[2 + number] for number in plain] == [theirs[2 + number] for number in plain]


def test_lines_that_are_kept_between_scrapes_change_with_the_values() -> None:
    store, renderer = filled(), Renderer()
    first = renderer.render(store.snapshot())
    assert renderer.render(store.snapshot()) == first
    store.set_devices(BATTERY, np.array([4]), np.array([0.125]))
    assert b'{device="4"} 0.125\n' in renderer.render(store.snapshot())[1]


@given(st.lists(st.tuples(st.text(max_size=8), st.integers(0, 2**40)), max_size=20))
def test_any_label_text_survives_the_exposition(steps: list[tuple[str, int]]) -> None:
    store, expected = MetricStore(), dict[str, int]()
    for reason, amount in steps:
        store.inc("edgestill_devices_failed_total", amount, reason=reason)
        expected[reason] = expected.get(reason, 0) + amount
    for reason, amount in expected.items():
        assert store.value("edgestill_devices_failed_total", reason=reason) == amount
    names = [line for line in store.exposition().decode().split("\n") if "failed_total{" in line]
    assert len(names) == len(expected)


def test_scrapes_while_another_thread_writes_are_whole() -> None:
    store, done = MetricStore(), threading.Event()

    def write() -> None:
        for number in range(1500):
            store.inc("edgestill_devices_failed_total", reason=f"r{number % 200}")
            store.set_devices(BATTERY, np.arange(50), np.full(50, float(number)))
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        values = {value for key, value in samples(store).items() if key[0] == BATTERY}
        assert len(values) <= 1  # never half of one write and half of the next
    writer.join()
    total = [v for k, v in samples(store).items() if k[0] == "edgestill_devices_failed_total"]
    assert sum(total) == 1500
