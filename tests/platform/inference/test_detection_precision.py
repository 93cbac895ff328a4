"""Mean average precision: known cases, and the same figures as pycocotools."""

import numpy as np
import pytest

from edgestill.data.detection import Objects
from edgestill.inference.detection import Found, matched, mean_average_precision
from edgestill.inference.detection.coco import coco_mean_average_precision

SQUARE, OTHER = [10, 10, 30, 30], [50, 50, 80, 90]


def objects(*boxes, labels=None, crowd=None):
    count = len(boxes)
    return Objects(
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        labels=np.array(labels or [0] * count, np.int64),
        crowd=np.array(crowd or [False] * count, np.bool_),
    )


def found(*boxes, labels=None, scores=None):
    count = len(boxes)
    return Found(
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        labels=np.array(labels or [0] * count, np.int64),
        scores=np.array(scores or [0.9] * count, np.float64),
    )


def precision(answers, truth):
    ours = mean_average_precision([matched(*pair) for pair in zip(answers, truth, strict=True)])
    assert ours == pytest.approx(coco_mean_average_precision(answers, truth, 3), abs=1e-9)
    return ours


def test_every_object_found_exactly_is_one():
    truth = [objects(SQUARE, OTHER, labels=[0, 1]), objects()]
    assert precision([found(SQUARE, OTHER, labels=[0, 1]), found()], truth) == pytest.approx(1.0)


def test_nothing_found_is_zero():
    assert precision([found()], [objects(SQUARE)]) == 0.0


def test_pictures_without_any_object_have_no_precision():
    assert precision([found(SQUARE)], [objects()]) == 0.0


def test_a_box_of_another_class_finds_nothing():
    assert precision([found(SQUARE, labels=[1])], [objects(SQUARE)]) == 0.0


def test_a_second_box_on_the_same_object_costs_only_what_is_found_after_it():
    truth = [objects(SQUARE, OTHER)]
    last = found(SQUARE, OTHER, SQUARE, scores=[0.9, 0.8, 0.7])
    between = found(SQUARE, SQUARE, OTHER, scores=[0.9, 0.8, 0.7])
    assert precision([last], truth) == pytest.approx(1.0)
    # Of 101 recalls, 51 (up to a half) have precision 1 and 50 have 2 of 3.
    assert precision([between], truth) == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_a_box_counts_at_the_overlaps_that_it_reaches():
    # 18 of 20 columns: an overlap of 0.9, which nine of the ten thresholds accept.
    assert precision([found([10, 10, 28, 30])], [objects(SQUARE)]) == pytest.approx(0.9)


def test_what_is_found_in_a_crowd_counts_neither_way():
    truth = [objects(SQUARE, OTHER, crowd=[False, True])]
    answers = found([55, 55, 65, 65], SQUARE, scores=[0.9, 0.8])
    assert precision([answers], truth) == pytest.approx(1.0)


def test_a_false_box_in_an_empty_picture_costs_precision():
    truth = [objects(SQUARE), objects()]
    assert precision([found(SQUARE, scores=[0.5]), found(OTHER)], truth) == pytest.approx(0.5)


@pytest.mark.parametrize("seed", range(3))
def test_the_fast_figure_is_that_of_pycocotools(seed):
    rng = np.random.default_rng(seed)
    pairs = [_scene(rng) for _ in range(40)]
    assert 0.05 < precision([a for a, _ in pairs], [b for _, b in pairs]) < 0.95


def test_pycocotools_prints_nothing(capsys):
    coco_mean_average_precision([found(SQUARE)], [objects(SQUARE)], 1)
    assert capsys.readouterr().out == ""


def _scene(rng):
    """Return objects, crowds among them, and boxes beside them, doubled, of a wrong class."""
    count = int(rng.integers(0, 5))
    low = rng.uniform(0, 60, (count, 2))
    boxes = np.concatenate([low, low + rng.uniform(8, 35, (count, 2))], axis=1)
    labels = rng.integers(0, 3, count)
    truth = objects(*boxes, labels=labels.tolist(), crowd=(rng.random(count) < 0.2).tolist())
    places = rng.integers(0, count, 2 * count) if count else np.zeros(0, int)
    near = boxes[places] + rng.normal(0, 1.5, (len(places), 4))
    said = np.where(rng.random(len(places)) < 0.8, labels[places], rng.integers(0, 3, len(places)))
    scores = rng.integers(1, 20, len(places)) / 20.0
    return found(*near, labels=said.tolist(), scores=scores.tolist()), truth
