"""Lanes: what each device gets is what the reference gives it alone, to the bit in any company."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from lane_members import (
    FAMILY,
    LEVELS,
    Convolutional,
    alone,
    assert_agree,
    config,
    family_of,
    member,
    same_bits,
    together,
)

from edgestill.config import LossConfig
from edgestill.training import SamplePrivacy, computing, lane_key, train_lane
from edgestill.training.schedule import longest_rows, schedule

CONVOLUTIONAL = family_of(Convolutional)
PRIVACY = SamplePrivacy(clip_norm=0.7, noise_multiplier=0.4)


@pytest.fixture(params=["direct", "traced"])
def computed(request, monkeypatch):
    """Compute steps directly, or trace each from its first one on."""
    worth = 10**9 if request.param == "direct" else 0
    monkeypatch.setattr(computing, "STEPS_WORTH_TRACING", worth)
    monkeypatch.setattr(computing, "_KNOWN", type(computing._KNOWN)())
    return request.param


@pytest.mark.parametrize("public", [0, 9])
@pytest.mark.parametrize("level", LEVELS)
def test_every_variant_agrees_with_the_reference_on_ragged_devices(level, public):
    counts = (1, 4, 7, 10, 13)
    members = [member(seed, n, level=level, public=public) for seed, n in enumerate(counts)]
    for one, trained in zip(members, together(members, config()), strict=True):
        assert_agree(trained, alone(one, config()))


@pytest.mark.parametrize(
    ("training", "work"),
    [
        ({"momentum": 0.0}, {}),
        ({"momentum": 0.5}, {"proximal_mu": 0.8}),
        ({"optimizer": "adam", "learning_rate": 1e-3}, {}),
        ({"gradient_clip_norm": 0.05}, {"pressure": 0.95}),
        ({"augmentation": {"noise_stddev": 0.3}}, {}),
        ({"augmentation": {"shift_cells": 2}}, {}),
        ({}, {"sample_privacy": PRIVACY}),
        ({"optimizer": "adam", "learning_rate": 1e-3}, {"sample_privacy": PRIVACY}),
    ],
    ids=str,
)
def test_every_way_of_training_agrees_with_the_reference(training, work):
    training = config(**training)
    members = [member(seed, 7 + seed, public=6, **work) for seed in range(4)]
    # Adam divides by what may be nearly nothing, and so enlarges rounding.
    tolerance = 1e-4 if training.optimizer == "adam" else 1e-5
    for one, trained in zip(members, together(members, training), strict=True):
        assert_agree(trained, alone(one, training), tolerance)


@pytest.mark.parametrize("level", ["high", "critical"])
@pytest.mark.parametrize("augmentation", [{}, {"noise_stddev": 0.3, "shift_cells": 1}])
def test_traced_steps_agree_with_the_reference(computed, level, augmentation):
    training = config(augmentation=augmentation)
    members = [member(seed, 5, level=level, public=6, epochs=1) for seed in range(3)]
    for one, trained in zip(members, together(members, training), strict=True):
        assert_agree(trained, alone(one, training))
    if computed == "traced":
        (known,) = computing._KNOWN[FAMILY.module(LEVELS[level][1])].values()
        assert all(one._program is not None for one in known.programs.values())


@pytest.mark.parametrize("private", [None, PRIVACY])
def test_dropout_and_noise_in_an_unmodified_model_agree_with_the_reference(computed, private):
    members = [member(seed, 9, family=CONVOLUTIONAL, sample_privacy=private) for seed in range(3)]
    results = together(members, config(), family=CONVOLUTIONAL)
    for one, trained in zip(members, results, strict=True):
        assert_agree(trained, alone(one, config(), family=CONVOLUTIONAL))
    other = replace(members[0], work=replace(members[0].work, seed=77))
    assert not same_bits(results[0], alone(other, config(), family=CONVOLUTIONAL))


@pytest.mark.parametrize("count", [1, 2, 5, 16])
@pytest.mark.parametrize("family", [FAMILY, CONVOLUTIONAL], ids=["student", "convolutional"])
def test_the_bits_do_not_depend_on_the_company(computed, family, count):
    """Batches of 7 and 3 leave vectors half full; the companions differ in seed and size."""
    training = config(batch_size=7)
    mine = member(3, 10, family=family, public=5)
    expected = together([mine, member(99, 9, family=family, public=5)], training, family=family)[0]
    for place in {0, count // 2, count - 1}:
        others = [member(100 * count + i, 9, family=family, public=5) for i in range(count - 1)]
        company = [*others[:place], mine, *others[place:]]
        assert same_bits(together(company, training, family=family)[place], expected)


def test_the_bits_do_not_depend_on_tracing_nor_on_the_length_of_the_lane(monkeypatch):
    members = [member(seed, 6 + seed % 3, public=4) for seed in range(9)]
    runs = []
    for worth, direct, traced in ((10**9, 32, 8), (10**9, 3, 8), (0, 32, 2), (0, 32, 8)):
        monkeypatch.setattr(computing, "_KNOWN", type(computing._KNOWN)())
        monkeypatch.setattr(computing, "STEPS_WORTH_TRACING", worth)
        monkeypatch.setattr(computing, "DIRECT_LANE", direct)
        monkeypatch.setattr(computing, "TRACED_LANES", (traced,))
        runs.append(together(members, config()))
    for run in runs[1:]:
        assert all(map(same_bits, runs[0], run))


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_kept_optimizers_go_on_where_they_were(optimizer):
    training = config(optimizer=optimizer, learning_rate=0.01, keep_optimizer=True)
    first = [member(seed, 6, epochs=1) for seed in range(3)]
    once = together(first, training)
    second = [
        replace(one, arrays=done.arrays, work=replace(one.work, optimizer=done.optimizer, seed=50))
        for one, done in zip(first, once, strict=True)
    ]
    for one, trained in zip(second, together(second, training), strict=True):
        assert_agree(trained, alone(one, training), 1e-4)
        assert trained.optimizer["steps"] == 4
        afresh = replace(one, work=replace(one.work, optimizer={}))
        assert not same_bits(trained, alone(afresh, training))


def test_members_of_different_keys_are_refused():
    members = [member(1, 4), member(2, 4, level="low")]
    with pytest.raises(ValueError, match="2 lane keys; expected those of one"):
        train_lane(FAMILY.module(1.0), members, config(), LossConfig())
    assert train_lane(FAMILY.module(1.0), [], config(), LossConfig()) == []


def test_a_key_depends_on_the_shape_of_the_work_only():
    training = config()
    key = lane_key(member(1, 9, public=4), training)
    assert key == lane_key(member(2, 9, public=4, pressure=0.9, proximal_mu=1.0), training)
    for other in (
        member(1, 9),
        member(1, 9, public=4, level="low"),
        member(1, 9, public=25),
        member(1, 9, public=4, sample_privacy=PRIVACY),
    ):
        assert lane_key(other, training) != key


@pytest.mark.parametrize("privacy", [None, PRIVACY])
def test_the_longest_step_is_known_as_it_will_be_dealt(privacy):
    work = member(1, 9, sample_privacy=privacy).work
    for own in (1, 5, 16, 17, 40):
        for public in (0, 1, 3, 50):
            dealt = schedule(own, public, work, 8)
            assert longest_rows(own, public, work, 8) == dealt.longest
            assert sum(map(len, dealt.public)) == public * work.epochs


def test_no_operation_of_the_student_runs_device_by_device():
    torch._C._functorch._set_vmap_fallback_warning_enabled(True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            together([member(seed, 5, public=4) for seed in range(2)], config())
    finally:
        torch._C._functorch._set_vmap_fallback_warning_enabled(False)


def test_lanes_move_nobody_elses_random_stream():
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    together(
        [member(seed, 5, family=CONVOLUTIONAL) for seed in range(2)], config(), family=CONVOLUTIONAL
    )
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_cuda_device_agrees_with_the_reference(computed):
    members = [member(seed, 7, public=6) for seed in range(3)]
    trained = train_lane(
        FAMILY.module(1.0).to("cuda"), members, config(), LossConfig(), device=torch.device("cuda")
    )
    FAMILY.module(1.0).to("cpu")
    for one, result in zip(members, trained, strict=True):
        for name, array in alone(one, config()).arrays.items():
            np.testing.assert_allclose(result.arrays[name], array, rtol=0, atol=1e-4)
