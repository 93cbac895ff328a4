"""RA-CMKD's benchmark on data and students small enough for a test."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from edgestill.allocation import Level
from edgestill.codec.modality import stages_of
from edgestill.config import AllocationConfig, load
from edgestill.jobs.benchmarks.racmkd import tasks, verdict
from edgestill.jobs.benchmarks.racmkd.deployed import Deployed, bill, timed
from edgestill.jobs.benchmarks.racmkd.lessons import Lessons, Part, View, accuracy
from edgestill.jobs.benchmarks.racmkd.plan import KINDS, LEVELS, POSTER, QUICK, STAGES, Amount
from edgestill.jobs.benchmarks.racmkd.precision import precisions
from edgestill.jobs.benchmarks.racmkd.students import (
    COMPARATORS,
    Method,
    fit,
    forgotten,
    leading,
    ours_at,
    prune,
    wide_student,
)
from edgestill.jobs.benchmarks.racmkd.tasks import ABLATIONS, OURS, Job, Outcome
from edgestill.jobs.benchmarks.racmkd.trace import follow, served
from edgestill.jobs.benchmarks.racmkd.variation import varied
from edgestill.knowledge.shared_space import fit_shared_space
from edgestill.models import exact_activations, measure_cost, teacher

SHAPES = {"visual": (1, 8, 8), "audio": (1, 8, 8), "sensor": (2, 16)}
CLASSES, SAMPLES = 4, 192
TINY = Amount(
    seeds=(1,),
    teacher_epochs=1,
    samples=99,
    views=2,
    assistants=2,
    wide_epochs=2,
    epochs=1,
    timings=5,
    ablated=(),
)
CONFIG = Path(__file__).parents[2] / "jobs" / "configs" / "racmkd.yaml"


@pytest.fixture(scope="module")
def lessons():
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(SAMPLES) % CLASSES
    centres = {k: 2 * torch.randn(CLASSES, *s, generator=generator) for k, s in SHAPES.items()}
    inputs = {
        k: c[labels] + torch.randn(SAMPLES, *SHAPES[k], generator=generator)
        for k, c in centres.items()
    }
    features = {k: torch.randn(SAMPLES, 24, generator=generator) for k in SHAPES}
    view = View(
        inputs=inputs,
        logits=5.0 * torch.nn.functional.one_hot(labels, CLASSES).float(),
        own=features,
        shared=features,
    )
    torch.manual_seed(0)
    return Lessons(
        shapes=SHAPES,
        classes=CLASSES,
        labels=labels,
        views=[view],
        parts={name: Part(inputs=inputs, labels=labels) for name in ("validation", "test")},
        space=fit_shared_space({k: v.numpy() for k, v in features.items()}, 24),
        teacher_module=teacher(SHAPES, CLASSES),
    )


def _stages(lessons):
    return stages_of(STAGES, lambda kind: lessons.views[0].inputs[kind].numpy())


def test_variations_are_the_same_under_a_seed_and_leave_what_they_vary_alone(lessons):
    inputs = lessons.views[0].inputs
    before = {kind: values.clone() for kind, values in inputs.items()}
    first, second = (varied(inputs, torch.Generator().manual_seed(4)) for _ in range(2))
    assert all(torch.equal(first[kind], second[kind]) for kind in KINDS)
    assert all(torch.equal(before[kind], inputs[kind]) for kind in KINDS)
    assert not any(torch.equal(first[kind], inputs[kind]) for kind in KINDS)


def test_a_student_learns_its_level_and_is_as_small_as_it_says(lessons):
    plan = LEVELS[1]
    seen = lessons.seen(lambda inputs: _stages(lessons)(inputs, plan.rates))
    assert seen.views[0].inputs["audio"].shape[-2] == 5
    module = tasks.ours(
        Job(seed=1, folder=Path(), amount=TINY, plan=plan), seen, ours_at(plan.rates)
    )
    assert accuracy(module, seen.parts["test"]) > 0.7
    wide = wide_student(lessons, plan.rates, 0, 1.5)
    one = {kind: values[:1] for kind, values in seen.views[0].inputs.items()}
    assert measure_cost(module, one).forward_flops < 0.4 * measure_cost(wide, one).forward_flops


def test_comparators_have_the_shapes_of_ours_and_none_of_its_knowledge(lessons):
    wide = wide_student(lessons, ("visual", "sensor"), 0, 1.0)
    pruned = prune(wide, lessons, Method(), 0.5, 0)
    fresh = forgotten(pruned, 3)
    shapes = {name: tensor.shape for name, tensor in pruned.state_dict().items()}
    assert {name: tensor.shape for name, tensor in fresh.state_dict().items()} == shapes
    ours, theirs = (m.encoders["visual"].projection.weight for m in (pruned, fresh))
    assert not torch.allclose(ours, theirs)


def test_a_plain_slice_keeps_the_leading_channels(lessons):
    wide = wide_student(lessons, ("visual",), 0, 1.0)
    first = wide.encoders["visual"].convolutions[0].weight[:4].clone()
    sliced = leading(wide, lessons, Method(), 0.5, 0)
    assert torch.equal(sliced.encoders["visual"].convolutions[0].weight, first)


@pytest.mark.parametrize("name", COMPARATORS)
def test_every_comparator_lowers_its_own_loss(lessons, name):
    module = wide_student(lessons, ("visual",), 0, 0.5)
    before = accuracy(module, lessons.parts["test"])
    fit(module, lessons, COMPARATORS[name], epochs=4, seed=0)
    assert accuracy(module, lessons.parts["test"]) > before + 0.2


def test_what_is_deployed_is_timed_and_counted_with_its_stages(lessons, tmp_path):
    plan = LEVELS[3]
    student = wide_student(lessons, plan.rates, 0, 0.5)
    exact_activations(student)
    models = {
        "teacher": Deployed(lessons.teacher_module, _stages(lessons), dict.fromkeys(KINDS, 1.0)),
        "critical": Deployed(student, _stages(lessons), plan.rates),
    }
    taken = timed(models, SHAPES, tmp_path, calls=10)
    assert all(one["latency_ms"] > 0 and one["resident_bytes"] > 0 for one in taken.values())
    whole, small = (bill(model, SHAPES, 8) for model in models.values())
    assert small.flops < 0.1 * whole.flops
    assert small.input_bytes == 2 * 16 + 2 * 2 * 4
    stage_flops = sum(models["critical"].stages.flops(SHAPES, plan.rates).values())
    assert 0 < stage_flops < small.flops


def test_the_levels_follow_a_load_that_rises_and_falls():
    moments = follow(AllocationConfig(), KINDS)
    levels = [moment.level for moment in moments]
    assert set(levels) == set(Level)
    assert max(moments, key=lambda moment: moment.load).level is Level.CRITICAL
    falls = [now for before, now in pairwise(levels) if now < before]
    rises = [now for before, now in pairwise(levels) if now > before]
    assert len(falls) >= 6
    assert len(rises) >= 5


def test_an_answer_after_the_deadline_counts_as_wrong():
    moments = follow(AllocationConfig(), KINDS)
    accuracies = {"high": 1.0, "medium": 0.9, "low": 0.8, "critical": 0.7}
    latencies = {"high": 40.0, "medium": 20.0, "low": 4.0, "critical": 1.0}
    found = served(moments, accuracies, latencies)
    assert found["always_critical"] == {
        "accuracy_in_time": pytest.approx(0.7),
        "missed_ratio": 0.0,
        "mean_latency_ms": pytest.approx(found["always_critical"]["mean_latency_ms"]),
    }
    assert found["always_high"]["missed_ratio"] > 0.5
    assert found["follows"]["accuracy_in_time"] > found["always_high"]["accuracy_in_time"]


def test_the_configuration_that_shows_it_has_the_levels_that_are_measured():
    config = load(CONFIG)
    assert config.allocation.stages == STAGES
    assert config.allocation.policy == "threshold"
    for plan in LEVELS:
        level = getattr(config.allocation.levels, plan.name)
        assert level.modalities == plan.rates
        assert level.bits == plan.bits


ROUNDING = [
    {"mean_bits": 2, "bytes": 6, "lost_ratio_by_significance": 0.1, "lost_ratio_evenly": 0.3}
]


def test_bits_dealt_by_significance_lose_less_of_what_the_kinds_share(lessons):
    shared = torch.from_numpy(lessons.space.significance).sqrt()
    views = [
        replace(view, shared={kind: values * shared for kind, values in view.shared.items()})
        for view in lessons.views
    ]
    for row in precisions(replace(lessons, views=views)):
        assert row["lost_ratio_by_significance"] < row["lost_ratio_evenly"]


def _outcome(seed, level, ours, others):
    scores = {OURS: ours, **dict.fromkeys([*COMPARATORS, *ABLATIONS], others)}
    return Outcome(seed=seed, level=level, validation=scores, test=scores, missing=scores)


def _bill(latency_ms, size):
    return {
        "parameters": size,
        "flops_per_sample": 10 * size,
        "memory_bytes": 4 * size,
        "input_bytes": 10,
        "latency_ms": latency_ms,
        "latency_p95_ms": latency_ms,
        "file_bytes": 1,
        "resident_bytes": 100 + size,
        "modalities": {"visual": 1.0, "sensor": 0.5},
    }


def test_every_claim_is_judged_from_every_level_and_seed():
    names = [plan.name for plan in (*LEVELS, *POSTER)]
    outcomes = [
        _outcome(seed, name, 0.9 - 0.02 * place, 0.88 - 0.02 * place)
        for place, name in enumerate(names)
        for seed in (1, 2)
    ]
    bills = {
        name: _bill(10.0 - 1.5 * place, 1000 - 150 * place)
        for place, name in enumerate(["teacher", *names])
    }
    measured = verdict.judged(
        replace(QUICK, ablated=(1, 2)),
        {1: 0.92, 2: 0.94},
        outcomes,
        bills,
        follow(AllocationConfig(), KINDS),
        ROUNDING,
    )
    found = {
        claim.id: (round(claim.value, 4), claim.target, claim.holds) for claim in measured.claims
    }
    assert found == {
        "racmkd_high_retention": (0.9679, 0.974, False),
        "racmkd_critical_retention": (0.9033, 0.873, True),
        "racmkd_high_memory_saved": (0.15, 0.834, False),
        "racmkd_high_latency_saved": (0.15, 0.745, False),
        "racmkd_high_flops_saved": (0.15, 0.865, False),
        "racmkd_latency_falls": (1.5, 0.0, True),
        "racmkd_best_comparator_gain": (0.02, 0.0, True),
        "racmkd_best_comparator_gain_at_each_level": (0.02, 0.0, True),
    }
    assert len(measured.charts) == 4
    assert [len(table.rows) for table in measured.tables] == [7, 6, 8, 1]
