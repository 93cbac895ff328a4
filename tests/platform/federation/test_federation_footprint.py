"""Memory is foretold: near to what is measured, and with a setting that does fit."""

import gc
import tracemalloc

import pytest
from canned_fleet import DRAW, coordinator_of
from hypothesis import given, settings
from hypothesis import strategies as st

from edgestill.codec import encode_arrays
from edgestill.config import resolve
from edgestill.federation import estimate_footprint, world_of
from edgestill.federation.memory.estimate import participants
from edgestill.fleet import free_memory_bytes
from edgestill.fleet.room import free_memory_bytes as free_in


def foretold(config, free_bytes=1e15, cpus=2):
    return estimate_footprint(world_of(config), free_bytes=free_bytes, cpus=cpus)


def changed(config, setting, value):
    return resolve(config.model_dump(mode="json"), [f"{setting}={value}"])


def proposal(refusal):
    """The setting that a refusal names, and the value that would fit."""
    return refusal.partition(":")[0], refusal.rpartition("; ")[2].removesuffix(" would fit")


@pytest.mark.parametrize(
    ("tree", "setting"),
    [
        ({"federation": {"strategy": "Krum", "over_selection": 0.2}}, "federation.fraction"),
        ({"engine": {"cohorts": 400}}, "engine.cohorts"),
        ({"fleet": {"devices": 10_000_000}, "federation": {"fraction": 1e-6}}, "fleet.devices"),
        (
            {
                "fleet": {"devices": 9_000_000},
                "federation": {"mode": "buffered", "concurrency": 8_000_000},
            },
            "federation.concurrency",
        ),
    ],
)
def test_the_setting_that_a_refusal_names_does_fit(plain_config, tree, setting):
    fleet = {"devices": 200_000, **tree.pop("fleet", {})}
    config = plain_config(**DRAW, fleet=fleet, **tree)
    needed = foretold(config)
    assert needed.refusal() is None
    for share in (0.999, 0.95, 0.8):
        free_bytes = needed.total_bytes * share
        refusal = foretold(config, free_bytes).refusal()
        assert "\n" not in refusal
        named, value = proposal(refusal)
        assert named == setting
        assert foretold(changed(config, setting, value), free_bytes).refusal() is None


def test_where_no_setting_helps_this_is_said(plain_config):
    refusal = foretold(plain_config(), 1e8).refusal()
    assert refusal.startswith("memory: the run needs about ")
    assert "100 MB are free; no one setting makes it fit" in refusal


@settings(max_examples=40, deadline=None)
@given(
    devices=st.integers(1, 10**6),
    fraction=st.floats(0.001, 1.0),
    over=st.floats(0.0, 1.0),
    more=st.integers(1, 10),
)
def test_more_never_takes_less(plain_config, devices, fraction, over, more):
    def total(count, cohorts):
        config = plain_config(
            **DRAW,
            fleet={"devices": count},
            federation={"fraction": fraction, "over_selection": over},
            engine={"cohorts": cohorts},
        )
        assert 1 <= participants(config) <= count
        return foretold(config).total_bytes

    assert total(devices, more) < total(devices + more, more) < total(devices + more, more + 1)


def peak_bytes(config, **options):
    coordinator, _ = coordinator_of(config, **options)
    gc.collect()
    tracemalloc.start()
    try:
        coordinator.run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("strategy", ["FedAvg", "FedMedian", "Krum"])
def test_the_participants_of_a_round_take_what_was_foretold(plain_config, strategy):
    def config(count):
        return plain_config(
            **DRAW,
            allocation={"policy": "static"},
            fleet={"devices": count},
            federation={"strategy": strategy, "rounds": 1},
        )

    few, many = (40, 240) if strategy != "FedAvg" else (400, 2_400)

    def measured(count):
        world = world_of(config(count))
        arrays = world.family.initial_arrays(0)
        frame = encode_arrays(arrays, bits=16, fingerprint=world.fingerprint)
        return peak_bytes(config(count), frame=None if strategy == "FedAvg" else frame)

    measured(few)
    growth = (measured(many) - measured(few)) / (many - few)
    terms = foretold(config(many)).terms
    each = next(term.bytes_each for term in terms if term.setting == "federation.fraction")
    assert 0.5 < each / growth < 2.0


def test_the_population_takes_what_was_foretold(plain_config):
    def held(devices):
        gc.collect()
        tracemalloc.start()
        kept = coordinator_of(
            plain_config(
                data={"partition": {"kind": "draw", "samples_per_device": 4}},
                fleet={"devices": devices},
            )
        )
        try:
            return tracemalloc.get_traced_memory()[0], kept
        finally:
            tracemalloc.stop()

    growth = (held(100_000)[0] - held(1_000)[0]) / 99_000
    terms = foretold(plain_config(**DRAW, fleet={"devices": 100_000})).terms
    each = next(
        term.bytes_each
        for term in terms
        if (term.where, term.setting) == ("coordinator", "fleet.devices")
    )
    assert 0.5 < each / growth < 2.0


def test_a_containers_limit_counts_if_it_is_tighter(tmp_path):
    machine = free_memory_bytes()
    assert machine > 0
    assert free_in(tmp_path / "nothing") == pytest.approx(machine, rel=0.2)
    second = tmp_path / "second"
    second.mkdir()
    (second / "memory.max").write_text("3000000\n")
    (second / "memory.current").write_text("2500000\n")
    assert free_in(second) == 500_000
    (second / "memory.stat").write_text("anon 7\ninactive_file 400000\n")
    assert free_in(second) == 900_000
    (second / "memory.current").write_text("9000000\n")
    assert free_in(second) == 0
    (second / "memory.max").write_text("max\n")
    assert free_in(second) == pytest.approx(machine, rel=0.2)
    first = tmp_path / "first" / "memory"
    first.mkdir(parents=True)
    (first / "memory.limit_in_bytes").write_text("5000")
    (first / "memory.usage_in_bytes").write_text("4000")
    (first / "memory.stat").write_text("total_inactive_file 100")
    assert free_in(tmp_path / "first") == 1_100


def test_the_description_adds_up_and_each_cohort_counts(plain_config):
    three, six = (foretold(plain_config(), cpus=n) for n in (3, 6))
    assert sum(three.by_place().values()) == pytest.approx(three.total_bytes)
    assert six.by_place()["cohorts"] == pytest.approx(2 * three.by_place()["cohorts"])
    assert six.describe().endswith("1000000.0 GB are free")
