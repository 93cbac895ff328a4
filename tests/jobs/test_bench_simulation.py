"""The contest's sides do the same work, and its claims say what the rounds came to."""

import sys

import numpy as np
import pytest
import torch

from edgestill.errors import RunError
from edgestill.federation import World
from edgestill.jobs.benchmarks import simulation
from edgestill.jobs.benchmarks.peers import pfl_environment, sides
from edgestill.jobs.benchmarks.peers.app.digits8 import work as shared
from edgestill.jobs.benchmarks.peers.app.digits8.models import MODELS
from edgestill.jobs.benchmarks.simulation_models import PREFIX
from edgestill.jobs.benchmarks.simulation_ours import nudged
from edgestill.jobs.benchmarks.simulation_share import lane_members
from edgestill.jobs.benchmarks.simulation_verdict import Played, judged, largest_difference
from edgestill.jobs.benchmarks.simulation_work import (
    BATCH_SIZE,
    EPOCHS,
    Contest,
    digits_config,
    shared_work,
    write_digits,
)
from edgestill.seeds import derive_seed
from edgestill.training import batches, train, train_lane

TINY = Contest(name="small_cnn", devices=3, rounds=2, warm_rounds=1)
SHARE = {
    "devices_per_s_lane": 300.0,
    "devices_per_s_sequential": 90.0,
    "lane_gflop_per_s": 20.0,
    "batched_product_gflop_per_s": 80.0,
    "large_product_gflop_per_s": 100.0,
    "share_of_batched_product": 0.25,
}
SAYS = """
import sys
from edgestill.jobs.benchmarks.peers.app.digits8.turns import Turns
turns = Turns()
print("noise")
for number in (1, 2):
    turns.wait()
    turns.played(round=number, lost=0, accuracy=0.5)
print("the reason", file=sys.stderr)
sys.exit(3)
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    write_digits(folder)
    return folder


def world_and_work(data, **changes):
    contest = Contest(**{"name": "small_cnn", "devices": 3, "rounds": 2, **changes})
    world = World.build(digits_config(contest, data, cohorts=1))
    return world, shared_work(contest, world)


def test_what_peers_read_is_what_was_written(data, tmp_path):
    _, work = world_and_work(data)
    work.write(tmp_path)
    read = shared.Work.read(tmp_path)
    assert (read.model, read.seed, read.rounds, read.momentum) == ("small_cnn", 11, 4, 0.0)
    assert all(np.array_equal(getattr(read, n), getattr(work, n)) for n in shared.ARRAYS)
    assert read.initial.keys() == MODELS["small_cnn"]().state_dict().keys()


def test_peers_and_ours_hold_the_same_samples_in_the_same_order(data):
    world, work = world_and_work(data)
    for device in range(3):
        assert np.array_equal(work.rows[device], world.owned[device])
    seed = derive_seed(world.config.seed, "training", round_number=2, device=1)
    assert shared.order_seed(world.config.seed, 2, 1) == seed
    rng = np.random.default_rng(seed)
    ours = [rows for _ in range(EPOCHS) for rows in batches(64, 64 // BATCH_SIZE, rng)]
    theirs = list(work.batches(2, 1))
    assert len(theirs) == len(ours) == 8
    assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize(("model", "momentum"), [("small_cnn", 0.0), ("mlp", 0.9)])
def test_one_device_trains_to_the_same_weights_on_every_side(data, model, momentum):
    world, work = world_and_work(data, name=model, momentum=momentum)
    members = lane_members(world, 2)
    config = world.config
    theirs = MODELS[model]()
    theirs.load_state_dict({n: torch.from_numpy(a.copy()) for n, a in work.initial.items()})
    shared.train(theirs, work, 1, 1)
    module, loss = world.family.module(1.0), config.knowledge.loss
    one = members[1]
    alone = train(module, one.arrays, one.samples, None, one.work, config.training, loss)
    together = train_lane(module, members, config.training, loss)[1]
    for name, tensor in theirs.state_dict().items():
        for trained in (alone, together):
            assert np.allclose(trained.arrays[PREFIX + name], tensor, rtol=0, atol=1e-5)
    moved = max(np.abs(alone.arrays[PREFIX + n] - a).max() for n, a in work.initial.items())
    assert moved > 1e-3


def test_the_difference_is_the_largest_between_any_two_sides():
    sides_arrays = [{"w": np.array([0.0, value])} for value in (0.0, 0.5, -0.25)]
    assert largest_difference(sides_arrays) == 0.75
    assert np.isnan(largest_difference(sides_arrays[:1]))
    assert largest_difference([{"w": np.zeros(2)}, {"v": np.zeros(2)}]) == float("inf")
    assert largest_difference([{"w": np.zeros(2)}, {"w": np.zeros(3)}]) == float("inf")


def played(seconds, **changes):
    given = {"seconds": seconds, "fitted": [None] * len(seconds), "arrays": {"w": np.zeros(2)}}
    return Played(**given | changes)


def verdict(**peers):
    ours = {
        "vectorized": played([0.1, 0.1, 0.4]),
        "sequential": played([1.0, 1.0, 1.0]),
        "unmodified_app": played([0.5, 0.5, 0.5]),
    }
    measured = judged([TINY], {"small_cnn": ours | peers}, {"small_cnn": SHARE})
    return measured, {claim.id: claim for claim in measured.claims}


def test_claims_compare_the_medians_of_rates():
    measured, claims = verdict(flower=played([2.5, 2.0, 1.0]), pfl=played([0.3, 0.3, 0.1]))
    assert claims["speedup_vs_flower"].value == pytest.approx(20.0)
    assert claims["speedup_vs_flower"].holds
    assert not claims["speedup_vs_flower_stretch"].holds
    assert claims["speedup_vs_pfl"].value == pytest.approx(3.0)
    assert not claims["speedup_vs_pfl"].holds
    assert claims["speedup_vs_flower_unmodified_app"].value == pytest.approx(4.0)
    assert claims["max_abs_parameter_difference"].value == 0.0
    assert claims["lane_matmul_share"].value == 0.25
    rows = [row[:4] for row in measured.tables[0].rows]
    assert rows[0] == ("small_cnn", "3", "vectorized", "30")


def test_devices_that_were_not_fitted_do_not_count():
    assert played([2.0], fitted=[1]).rates(devices=3) == [0.5]


def test_a_missing_peer_is_a_claim_that_does_not_hold():
    measured, claims = verdict(
        flower=played([2.0, 2.0, 2.0]), pfl=played([], arrays={}, reason="no network")
    )
    assert (claims["speedup_vs_pfl"].value, claims["speedup_vs_pfl"].holds) == (None, False)
    assert claims["speedup_vs_flower"].holds
    assert claims["max_abs_parameter_difference"].holds
    works = measured.results["works"]["small_cnn"]
    assert works["sides"]["pfl"]["reason"] == "no network"


def test_other_parameters_are_a_claim_that_does_not_hold():
    other = played([2.0], arrays={"w": np.array([0.0, 2e-4])})
    _, claims = verdict(flower=other, pfl=played([1.0]))
    assert claims["max_abs_parameter_difference"].value == pytest.approx(2e-4)
    assert not claims["max_abs_parameter_difference"].holds


@pytest.mark.parametrize(("moved", "holds"), [(1.5e-3, True), (2.5e-3, False)])
def test_where_rounding_is_amplified_the_difference_is_held_against_a_control(moved, holds):
    sides_played = {
        "vectorized": played([1.0], arrays={"w": np.array([0.0, moved])}),
        "nudged": played([1.0], arrays={"w": np.array([1e-3, 0.0])}),
        "flower": played([1.0], arrays={"w": np.zeros(2)}),
    }
    student = Contest(name="student", devices=3, rounds=1)
    plain = {name: played([1.0]) for name in ("vectorized", "unmodified_app", "flower", "pfl")}
    works = {"small_cnn": plain, "student": sides_played}
    measured = judged([TINY, student], works, {"small_cnn": SHARE})
    claims = {claim.id: claim for claim in measured.claims}
    assert claims["max_abs_parameter_difference"].value == pytest.approx(moved)
    assert not claims["max_abs_parameter_difference"].holds
    assert claims["student_difference_over_control"].value == pytest.approx(moved / 1e-3)
    assert claims["student_difference_over_control"].holds == holds
    assert "nudged_over_flower" not in measured.results["works"]["student"]["speedups"]


def test_a_nudged_start_has_other_last_bits_everywhere():
    start = {"w": np.array([1.0, -2.0, 0.0], np.float32), "s": np.array(3.0, np.float32)}
    moved = nudged(start)
    for name, array in start.items():
        assert moved[name].dtype == np.float32
        assert moved[name].shape == array.shape
        assert (moved[name] != array).all()
        np.testing.assert_allclose(moved[name], array, rtol=2e-7, atol=1e-44)


def test_a_peer_that_fails_is_excused_and_a_side_of_ours_is_not():
    one = Played()
    with simulation._excused("pfl", one):
        raise RunError("pfl cannot be installed: no network")
    assert one.reason == "pfl cannot be installed: no network"
    with pytest.raises(RunError, match="died"), simulation._excused("vectorized", Played()):
        raise RunError("died")


def test_every_side_begins_as_often_as_the_others():
    first = [simulation._order("abc", number)[0] for number in range(1, 7)]
    assert sorted(first) == sorted("abcabc")


def test_without_a_network_pfl_says_why_it_is_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(pfl_environment, "REQUIREMENTS", tmp_path / "wanted.txt")
    (tmp_path / "wanted.txt").write_text("pfl==0.0.0\n")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    with pytest.raises(RunError, match=r"pfl cannot be installed: .*no-python"):
        pfl_environment.python_of_pfl()


@pytest.fixture
def side(tmp_path):
    made = sides.Side("made", [sys.executable, "-c", SAYS], tmp_path, {})
    yield made
    made.close()


def test_a_side_plays_when_it_is_told_and_its_failure_is_said_in_its_own_words(side):
    assert [side.play(60.0)["round"] for _ in range(2)] == [1, 2]
    with pytest.raises(sides.SideError, match="made: ended early; the reason"):
        side.arrays(60.0)


def test_a_side_that_waits_for_ever_ends_when_it_is_closed(side):
    side.wait_until_ready(60.0)
    with pytest.raises(sides.SideError, match="said nothing in time"):
        side.result(0.01)
    side.close()
    assert side._process.poll() is not None
