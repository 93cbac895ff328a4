"""bench eccentric: what is chosen where, what counts as saved, and that both tasks are measured."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from edgestill.inference.gates import Answers, classified, detected, least_confidence
from edgestill.inference.tradeoffs import OFFLOAD_RATES, Outcomes, Way
from edgestill.jobs.benchmarks import BENCHMARKS
from edgestill.jobs.benchmarks.eccentric import deadlines, fronts, gates, jpeg, sedna
from edgestill.jobs.benchmarks.eccentric.ablation import (
    BOOSTED,
    OWN_TAIL,
    WHOLE,
    ablated,
    without,
)
from edgestill.jobs.benchmarks.eccentric.findings import analysed, saved
from edgestill.jobs.benchmarks.eccentric.fronts import EDGE_BUDGET
from edgestill.jobs.benchmarks.eccentric.part import Measurement, Part
from edgestill.jobs.benchmarks.eccentric.plan import FULL, KEPT, QUICK, Length
from edgestill.jobs.benchmarks.eccentric.studies import Study, study
from edgestill.jobs.benchmarks.eccentric.summary import differences
from edgestill.jobs.benchmarks.eccentric.tables import ablation_table
from edgestill.jobs.benchmarks.eccentric.verdict import judged

CLAIMS = {
    "eccentric_edge_flops_saved": 0.42,
    "eccentric_bytes_saved": 0.68,
    "eccentric_accuracy_kept": 0.99,
    "eccentric_detection_edge_flops_saved": 0.42,
    "eccentric_detection_bytes_saved": 0.68,
    "eccentric_detection_accuracy_kept": 0.97,
    "dynamic_hypervolume_vs_best_single": 1.0,
    "dynamic_front_worst_difference": 0.0,
    "dynamic_front_best_difference": 0.0,
    "best_gate_vs_sedna": 0.0,
}

SETTING = jpeg.Setting(quality=50)
TINY = Length(public=64, cloud=1.0, edge=1.0, adaptation=1.0, tested=40)


def way(kind, right, sent, edge_flops, cloud_flops):
    return Way(
        kind=kind,
        name=kind,
        right=np.asarray(right, float),
        bytes_sent=np.full(len(right), float(sent)),
        edge_flops=edge_flops,
        cloud_flops=cloud_flops,
    )


def outcomes(rng, doubt, score=None):
    """The doubtful are wrong at the edge; features mend most of it, the input nearly all."""
    count = len(doubt)
    return Outcomes(
        edge=way("edge", rng.random(count) > doubt, 0, 1e6, 0.0),
        features=[
            way("coarse", rng.random(count) > 0.15 * doubt, 60, 1.1e6, 6e6),
            way("fine", rng.random(count) > 0.08 * doubt, 150, 1.1e6, 6e6),
        ],
        whole_input=way("input", rng.random(count) > 0.05 * doubt, 700, 1e6, 12e6),
        score=score,
    )


def class_part(seed, count=1500):
    rng = np.random.default_rng(seed)
    doubt = rng.beta(0.5, 2.0, count)
    first = rng.integers(0, 4, count)
    p = np.full((count, 4), 0.0) + (doubt / 3)[:, None]
    p[np.arange(count), first] = 1.0 - doubt
    found = outcomes(rng, doubt)
    cloud = found.whole_input.right
    return Part(
        answers=Answers(probabilities_NK=p),
        outcomes=found,
        cloud_accuracy=float(cloud.mean()),
    )


def box_part(seed, count=400):
    rng = np.random.default_rng(seed)
    doubt = rng.random(count)
    rows = [np.clip(1.0 - d + 0.2 * rng.normal(size=rng.integers(0, 4)), 0.0, 1.0) for d in doubt]
    plain = outcomes(rng, doubt)
    found = replace(plain, score=lambda chosen, places: 0.9 * plain.merit(chosen, places))
    cloud = found.whole_input.right
    return Part(
        answers=detected(rows),
        outcomes=found,
        cloud_accuracy=0.9 * float(cloud.mean()),
    )


def measurement(task, seed):
    make = box_part if task == "detection" else class_part
    return Measurement(
        task=task,
        seed=seed,
        cloud_flops=12e6,
        temperature=None if task == "detection" else 1.5,
        jpeg=SETTING,
        jpegs=[jpeg.Tried(setting=SETTING, accuracy=0.97, bytes=700.0)],
        bare_jpeg_bytes=350.0,
        validation=make(2 * seed),
        test=make(2 * seed + 1),
    )


@pytest.fixture(scope="module")
def findings():
    return [analysed(measurement(task, seed), seconds=1.0) for task in KEPT for seed in (1, 2)]


def test_sednas_gates_call_an_image_without_boxes_easy_and_an_unsure_one_hard():
    answers = detected([[], [0.9, 0.95], [0.2, 0.9], [0.3]])
    assert sedna.ibt(0.5, 0.5)(answers).tolist() == [False, False, True, True]
    assert sedna.ibt(0.9, 0.9)(answers).tolist() == [False, True, True, True]
    assert sedna.mean_below(0.5)(answers).tolist() == [False, False, False, True]


def test_sednas_cross_entropy_is_one_minus_the_normalised_entropy():
    p = np.array([[1.0, 0.0], [0.5, 0.5], [0.89, 0.11], [0.88, 0.12]])
    hard = sedna.cross_entropy(0.5)(Answers(probabilities_NK=p))
    assert hard.tolist() == [False, True, False, True]


def test_no_gate_is_above_the_oracle_and_all_end_with_the_edge_and_the_cloud_alone():
    measured = measurement("classification", 3)
    found = gates.study(measured, gates.rules(measured))
    edge, cloud = (
        one.right.mean()
        for one in (measured.test.outcomes.edge, measured.test.outcomes.whole_input)
    )
    for curve in found.curves.values():
        assert curve[0] == pytest.approx(edge)
        assert all(a <= b + 1e-9 for a, b in zip(curve, found.curves[gates.ORACLE], strict=True))
        assert curve[-1] == pytest.approx(cloud)
    assert found.best not in (gates.RANDOM, gates.ORACLE)


def test_the_best_gate_is_chosen_by_validation_alone():
    measured = measurement("classification", 3)
    other = replace(measured, test=class_part(99))
    assert gates.rules(measured).areas == gates.rules(other).areas


def test_gates_of_boxes_look_at_what_people_are_told():
    seen = gates.told(detected([[0.9, 0.1], [0.2]]))
    assert [row.tolist() for row in seen.scores] == [[0.9], []]
    answers = classified(np.eye(2))
    assert gates.told(answers) is answers


def test_dynamic_is_nowhere_dearer_by_validation_and_its_policies_are_not_chosen_on_test():
    measured = measurement("classification", 4)
    found = fronts.study(replace(measured, test=measured.validation), least_confidence)
    for one in found.matched:
        assert one.dynamic.bytes_sent <= one.single.bytes_sent
        assert one.dynamic.flops <= one.single.flops
        assert one.dynamic.right >= one.single.right
    tested = fronts.study(measured, least_confidence)
    assert [one.dynamic.name for one in tested.matched] == [
        one.dynamic.name for one in found.matched
    ]


def test_more_points_cover_more_and_the_edge_alone_covers_nothing():
    part = class_part(5)
    found = fronts.study(measurement("classification", 5), least_confidence)
    points = [one.tested for one in found.offered[fronts.DYNAMIC]]
    whole = fronts.covered(points, part.outcomes)
    assert 0.0 < fronts.covered(points[:5], part.outcomes) <= whole < 1.0
    edge = fronts.covered([one for one in points if one.offload_rate == 0.0], part.outcomes)
    assert edge < 0.05


def test_with_a_deadline_slow_links_carry_features_where_the_input_would_be_late():
    rows = deadlines.study(measurement("classification", 6), least_confidence)
    slowest, fastest = rows[0], rows[-1]
    assert slowest.input_only_rate == 0.0
    assert 0.3 < slowest.any_way_rate <= 0.6
    assert slowest.any_way > slowest.input_only
    assert fastest.input_only_rate == fastest.any_way_rate


def test_what_is_saved_is_counted_against_jpeg_and_the_larger_model_at_the_edge(findings):
    found = findings[0]
    one = replace(found.ways[0], bytes_sent=70.0, edge_flops=3e6, right=found.cloud_accuracy / 2)
    result = saved(found, one)
    assert result.bytes == pytest.approx(0.9)
    assert result.bare_bytes == pytest.approx(0.8)
    assert result.edge_flops == pytest.approx(0.75)
    assert result.accuracy_kept == pytest.approx(0.5)


def test_differences_are_means_over_the_seeds_of_the_same_operating_point(findings):
    own = [one for one in findings if one.task == "classification"]
    found = differences(own)
    assert len(found) == 3 * len(OFFLOAD_RATES)
    assert all(len(one.by_seed) == 2 for one in found)


def test_every_claim_is_there_with_its_target_and_all_is_plain(findings):
    measured = judged(FULL, findings)
    assert {claim.id: claim.target for claim in measured.claims} == CLAIMS
    json.dumps([measured.results, measured.configuration], allow_nan=False)
    assert all(len(row) == len(table.columns) for table in measured.tables for row in table.rows)
    with Image.open(io.BytesIO(measured.files["eccentric.png"])) as picture:
        assert picture.format == "PNG"


def test_what_is_chosen_within_a_budget_keeps_it_on_validation_data():
    measured = measurement("classification", 6)
    found = fronts.study(replace(measured, test=measured.validation), least_confidence)
    whole = measured.validation.outcomes.whole_input.bytes_sent.mean()
    for points in found.within.values():
        assert all(one.bytes_sent <= share * whole for share, one in points.items())
        rights = [points[share].right for share in fronts.BUDGETS]
        assert rights == sorted(rights)


def test_the_smallest_jpeg_that_leaves_the_cloud_its_accuracy_is_taken():
    small, middle, large = (jpeg.Setting(quality=quality) for quality in (30, 50, 70))
    tried = [
        jpeg.Tried(setting=setting, accuracy=accuracy, bytes=size)
        for setting, accuracy, size in ((small, 0.9, 400), (large, 0.96, 700), (middle, 0.957, 500))
    ]
    assert jpeg.smallest_enough(tried, 0.96) == middle
    assert jpeg.smallest_enough(tried, 0.99) == large


def test_jpeg_frames_shrink_with_the_quality_and_pictures_keep_their_shape():
    pictures = np.random.default_rng(0).integers(0, 256, (2, 3, 32, 32)).astype(np.uint8)
    low, high = (jpeg.sent(pictures, jpeg.Setting(quality=quality), 7) for quality in (30, 90))
    assert low.pictures.shape == pictures.shape
    assert (low.bytes_sent < high.bytes_sent).all()
    bare = jpeg.without_tables(pictures, jpeg.Setting(quality=30))
    assert bare < low.bytes_sent.mean() - 200


def test_the_full_form_has_three_seeds_of_the_classification_and_quick_has_one():
    assert "eccentric" in BENCHMARKS
    assert len(FULL.seeds["classification"]) == 3
    assert all(len(seeds) == 1 for seeds in QUICK.seeds.values())
    assert set(FULL.seeds) == set(QUICK.seeds) == set(KEPT)


@pytest.mark.parametrize("task", sorted(KEPT))
def test_a_task_is_trained_framed_and_judged(task, tmp_path):
    tiny = replace(QUICK, lengths=dict.fromkeys(KEPT, TINY))
    found = study(Study(task=task, seed=5, amount=tiny, folder=tmp_path))
    edge, *features, whole = found.ways
    assert edge.bytes_sent == 0.0
    assert all(one.bytes_sent > 24.0 for one in (*features, whole))
    assert all(one.edge_flops > edge.edge_flops for one in features)
    least = {"classification": 6, "detection": 2}[task]
    assert whole.cloud_flops == found.cloud_flops > least * edge.edge_flops
    assert all(one.edge_flops < EDGE_BUDGET * found.cloud_flops for one in features)
    assert 0.0 <= found.cloud_accuracy <= 1.0


def test_the_training_is_also_done_without_its_parts(tmp_path):
    tiny = replace(QUICK, lengths=dict.fromkeys(KEPT, TINY))
    job = Study(task="classification", seed=6, amount=tiny, folder=tmp_path)
    found = study(job)
    whole, tail, boosted = (without((job, name)) for name in (WHOLE, OWN_TAIL, BOOSTED))
    assert whole.edge == tail.edge == found.ways[0].right
    assert tail.features is not None
    assert boosted.features is None
    (row,) = ablated([whole], [found])
    assert row.features == tuple(one.right for one in found.ways[1:-1])
    assert len(ablation_table([row, tail, boosted])[0].rows) == 3
