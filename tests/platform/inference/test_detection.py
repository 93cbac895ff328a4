"""Detection: targets, boxes, decoding, losses, networks, the task."""

import numpy as np
import pytest
import torch

from edgestill.data.detection import Objects
from edgestill.data.digit_scenes import load_digit_scenes
from edgestill.inference.detection import (
    CloudDetector,
    Detection,
    EdgeDetector,
    padded_objects,
    unpadded_objects,
)
from edgestill.inference.detection.boxes import (
    cell_centres,
    decoded_boxes,
    encoded_boxes,
    generalised_overlaps,
    overlaps,
)
from edgestill.inference.detection.losses import quality_focal
from edgestill.inference.detection.targets import NOTHING, assigned

CLASSES, SIDE, CELLS = 10, 96, 144
TASK = Detection(classes=CLASSES, side_pixels=SIDE)


def objects(boxes, labels, crowd=None):
    return Objects(
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        labels=np.array(labels, np.int64),
        crowd=np.array(crowd or [False] * len(labels), np.bool_),
    )


def perfect_outputs(targets):
    """Return the outputs of a network that says each object at its cells, surely."""
    wanted = assigned(targets, CELLS, SIDE)
    outputs = torch.full((len(targets), CELLS, 5 + CLASSES), -12.0)
    outputs[..., :4] = encoded_boxes(wanted.boxes_BC4, SIDE)
    pictures, cells = torch.nonzero(wanted.positive_BC, as_tuple=True)
    outputs[pictures, cells, 4] = 8.0
    outputs[pictures, cells, 5 + wanted.labels_BC[pictures, cells]] = 8.0
    return outputs


@pytest.fixture(scope="module")
def scenes():
    found = load_digit_scenes()
    rows = found.splits["validation"][:60]
    objects = [found.objects(int(row)) for row in rows]
    return torch.from_numpy(found.inputs(rows)) * 4.0 - 2.0, objects


def test_overlaps_of_known_boxes():
    square = torch.tensor([0.0, 0.0, 10.0, 10.0])
    half, away = torch.tensor([5.0, 0.0, 15.0, 10.0]), torch.tensor([20.0, 0.0, 30.0, 10.0])
    assert overlaps(square, half).item() == pytest.approx(50 / 150)
    assert overlaps(square, away).item() == 0.0
    assert generalised_overlaps(square, square).item() == pytest.approx(1.0)
    assert generalised_overlaps(square, away).item() == pytest.approx(-100 / 300)


def test_centres_run_along_the_rows():
    centres, stride = cell_centres(4, 16)
    assert stride == 8.0
    assert centres.tolist() == [[4, 4], [12, 4], [4, 12], [12, 12]]


def test_boxes_are_what_cells_say_they_are():
    boxes = torch.tensor([[10.0, 20.0, 30.0, 60.0]]).expand(1, CELLS, 4)
    assert decoded_boxes(encoded_boxes(boxes, SIDE), SIDE) == pytest.approx(boxes, abs=1e-4)


def test_objects_of_many_pictures_go_into_one_tensor_and_back():
    both = [objects([[1, 2, 3, 4], [5, 6, 7, 8]], [3, 0], [False, True]), objects([], [])]
    table = padded_objects(both)
    assert table.shape == (2, 2, 6)
    assert (table[1, :, 4] == NOTHING).all()
    for before, after in zip(both, unpadded_objects(table), strict=True):
        for name in ("boxes", "labels", "crowd"):
            assert getattr(before, name).tolist() == getattr(after, name).tolist()


def test_an_object_without_a_cell_inside_it_has_a_cell():
    narrow = padded_objects([objects([[40.5, 10, 43, 30]], [1])])
    found = assigned(narrow, CELLS, SIDE)
    assert found.positive_BC.sum() == 1
    assert found.labels_BC[found.positive_BC].tolist() == [1]


def test_cells_in_a_crowd_are_not_learned():
    found = assigned(padded_objects([objects([[0, 0, 48, 48]], [1], [True])]), CELLS, SIDE)
    assert not found.positive_BC.any()
    assert (~found.counted_BC).sum() == 36


def test_every_object_of_the_scenes_comes_back_from_perfect_outputs(scenes):
    targets = padded_objects(scenes[1])
    outputs = perfect_outputs(targets)
    assert TASK.score(outputs, targets) == pytest.approx(1.0)
    assert TASK.right(outputs, targets) == pytest.approx(np.ones(len(targets)))
    for answer, truth in zip(TASK.told(outputs, "edge"), scenes[1], strict=True):
        assert sorted(int(box[4]) for box in answer.boxes) == sorted(truth.labels.tolist())


def test_an_empty_scene_is_right_when_nothing_is_found_in_it():
    empty, none = padded_objects([objects([], [])]), torch.full((1, CELLS, 5 + CLASSES), -12.0)
    told = TASK.told(none, "cloud")[0]
    assert (told.boxes, told.confidence, told.label) == ((), 0.0, None)
    assert TASK.right(none, empty).tolist() == [1.0]
    assert len(TASK.answers(none).scores[0]) == 0
    none[0, 5, [4, 7]] = 8.0
    # A false alarm is as wrong as it is sure.
    assert TASK.right(none, empty) == pytest.approx([0.0], abs=1e-3)


def test_of_overlapping_boxes_of_a_class_the_best_is_left():
    outputs = torch.full((1, CELLS, 5 + CLASSES), -12.0)
    outputs[..., :4] = encoded_boxes(torch.tensor([8.0, 8, 40, 40]).expand(1, CELLS, 4), SIDE)
    outputs[0, :4, 4] = torch.tensor([1.0, 3.0, 2.0, 1.0])
    outputs[0, :3, 5] = 8.0
    outputs[0, 3, 6] = 8.0
    found = TASK.found(outputs)[0]
    assert found.labels.tolist() == [0, 1]
    assert found.scores == pytest.approx(torch.sigmoid(torch.tensor([3.0, 1.0])).numpy())


def test_gates_see_fainter_boxes_than_people_are_told():
    outputs = perfect_outputs(padded_objects([objects([[8, 8, 40, 40]], [2])]))
    outputs[..., 4] = torch.where(outputs[..., 4] > 0, -1.5, -12.0)
    assert TASK.told(outputs, "fog")[0].boxes == ()
    assert len(TASK.answers(outputs).scores[0]) == 1


def test_the_loss_of_empty_scenes_is_finite_and_teaches():
    outputs = torch.zeros(2, CELLS, 5 + CLASSES, requires_grad=True)
    loss = TASK.loss(outputs, padded_objects([objects([], [])] * 2))
    loss.backward()
    assert torch.isfinite(loss)
    assert (outputs.grad[..., 4] > 0).all()


def test_quality_focal_loss_of_known_values():
    logits, quality = torch.tensor([0.0, 0.0, 2.0]), torch.tensor([1.0, 0.5, 0.0])
    sure = torch.sigmoid(torch.tensor(2.0)).item()
    expected = [np.log(2) * 0.25, 0.0, -np.log(1 - sure) * sure**2]
    assert quality_focal(logits, quality).numpy() == pytest.approx(expected)


def test_perfect_outputs_cost_nearly_nothing(scenes):
    targets = padded_objects(scenes[1])
    outputs = perfect_outputs(targets)
    assert TASK.loss(outputs, targets) < 0.01
    assert TASK.distillation(outputs, outputs) < 0.01


def test_a_missed_object_costs_more_where_recall_is_boosted():
    targets = padded_objects([objects([[8, 8, 40, 40]], [2])])
    missed = perfect_outputs(targets)
    missed[..., 4] = -12.0
    boosted = Detection(classes=CLASSES, side_pixels=SIDE, positive_weight=3.0)
    plain, raised = (task.loss(missed, targets).item() for task in (TASK, boosted))
    assert raised == pytest.approx(3.0 * plain, rel=0.1)


def test_a_teacher_is_copied_where_it_is_confident():
    targets = padded_objects([objects([[8, 8, 40, 40]], [2])])
    teacher, student = perfect_outputs(targets), perfect_outputs(targets)
    sure = teacher[..., 4] > 0
    student[..., :4][~sure] += 1.0
    assert TASK.distillation(student, teacher) < 0.01
    student[..., :4][sure] += 0.5
    assert TASK.distillation(student, teacher) > 0.1


@pytest.mark.parametrize("side", [64, 96])
def test_networks_pass_tokens_and_features_of_the_shapes_that_they_declare(side):
    pictures = {"visual": torch.zeros(2, 3, side, side)}
    edge, cloud = EdgeDetector(CLASSES, side_pixels=side), CloudDetector(CLASSES)
    outputs = (2, (side // 8) ** 2, 5 + CLASSES)
    tokens, features = edge.tokens(pictures), cloud.features(pictures)
    assert tokens.shape[1:] == edge.token_shape
    assert edge.answer(tokens).shape == cloud.answer(features).shape == outputs
    adapted = cloud.adapter(edge.token_shape)(tokens)
    assert adapted.shape == features.shape
    assert cloud.answer(adapted).shape == outputs


def test_pictures_count_by_their_objects_as_in_mean_average_precision():
    box = [0, 0, 9, 9]
    # The crowd of the last picture is no object.
    three = objects([box] * 4, [0, 1, 2, 2], [False, False, False, True])
    targets = padded_objects([objects([], []), objects([box], [1]), three])
    assert TASK.weights(targets) == pytest.approx([0.0, 0.75, 2.25])
    assert TASK.weights(targets[:1]).tolist() == [0.0]


def test_a_device_begins_with_the_features_of_the_cloud_and_a_head_of_its_own():
    edge, cloud = EdgeDetector(CLASSES).eval(), CloudDetector(CLASSES).eval()
    picture = torch.randn(2, 3, 96, 96)
    before = edge.head[0][0].weight.clone()
    assert not torch.equal(edge.trunk(picture), cloud.trunk(picture))
    edge.inherit(cloud)
    assert torch.equal(edge.trunk(picture), cloud.trunk(picture))
    assert torch.equal(edge.head[0][0].weight, before)
    # What the device learns from there on is its own.
    edge.trunk[0][0].weight.data.zero_()
    assert not torch.equal(edge.trunk(picture), cloud.trunk(picture))


def test_a_few_scenes_are_learned(scenes):
    torch.manual_seed(0)
    pictures, targets = {"visual": scenes[0][:4]}, padded_objects(scenes[1][:4])
    edge = EdgeDetector(CLASSES)
    optimiser = torch.optim.AdamW(edge.parameters(), 1e-2)
    losses = []
    for _ in range(20):
        optimiser.zero_grad()
        loss = TASK.loss(edge.answer(edge.tokens(pictures)), targets)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
