"""The bundled digit_scenes: boxes enclose their digits, and nothing is in two splits."""

import numpy as np
import pytest

from edgestill.data import bundled
from edgestill.data.composites import IMAGES, dealt, digits, photographs
from edgestill.data.composites.regions import BLOCK_HEIGHT, BLOCK_WIDTH, blocks
from edgestill.data.digit_scenes import load_digit_scenes
from edgestill.data.digit_scenes.scenes import LEAST_INKED, SIDE, draw, inked_of, scenes
from edgestill.data.photo_digits.samples import samples

CHECKED = range(0, 4700, 25)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield load_digit_scenes()


@pytest.fixture(scope="module")
def every():
    return list(scenes())


def test_it_is_small_as_committed_and_has_the_promised_parts(dataset):
    assert bundled.artefact_of("digit_scenes").stat().st_size < 200_000
    assert dataset.images.shape == (4700, 3, SIDE, SIDE)
    assert dataset.class_names == tuple("0123456789")
    assert {name: len(rows) for name, rows in dataset.splits.items()} == {
        "public": 2000,
        "validation": 1600,
        "private": 500,
        "test": 600,
    }
    assert dataset.offsets[0] == 0
    assert dataset.offsets[-1] == len(dataset.boxes) == len(dataset.labels) == len(dataset.crowd)
    counts = np.bincount(np.diff(dataset.offsets))
    assert len(counts) == 6
    assert (counts > 300).all()  # from none to five digits
    assert not dataset.crowd.any()


def test_objects_are_those_of_their_scene(dataset, every):
    for index in CHECKED:
        objects, things = dataset.objects(index), every[index].things
        assert objects.boxes.shape == (len(things), 4)
        assert objects.labels.tolist() == digits().labels[[t.image for t in things]].tolist()


def test_boxes_enclose_their_digits_tightly(dataset, every):
    for index in CHECKED:
        boxes = dataset.objects(index).boxes.astype(int)
        for (_, inked), (left, top, right, bottom) in zip(
            inked_of(every[index], digits()), boxes, strict=True
        ):
            full = inked >= LEAST_INKED
            inside = full[top:bottom, left:right]
            assert inside.sum() == full.sum() > 0
            assert all(edge.any() for edge in (inside[0], inside[-1], inside[:, 0], inside[:, -1]))


def test_nothing_but_the_digits_differs_from_the_photograph(dataset, every):
    for index in CHECKED:
        scene = every[index]
        empty = type(scene)(split=scene.split, place=scene.place, things=())
        behind = draw(empty, digits(), photographs()).pixels
        covered = np.zeros((SIDE, SIDE), bool)
        for _, inked in inked_of(scene, digits()):
            covered |= inked > 0
        differs = (dataset.images[index] != behind).any(axis=0)
        assert not (differs & ~covered).any()
        assert differs.any() == bool(scene.things)


def test_boxes_lie_in_the_picture_and_are_large_enough(dataset):
    left, top, right, bottom = dataset.boxes.T
    assert left.min() >= 0
    assert top.min() >= 0
    assert max(right.max(), bottom.max()) <= SIDE
    assert (right - left).min() >= 3
    assert (bottom - top).min() >= 8


def test_no_image_of_a_digit_is_in_two_splits_of_this_or_of_photo_digits(every):
    assert {split: len(images) for split, images in dealt().items()} == IMAGES
    assert len(set().union(*dealt().values())) == sum(IMAGES.values()) == 1797
    for scene in every:
        assert {thing.image for thing in scene.things} <= set(dealt()[scene.split])
    assert all(sample.image in dealt()[sample.split] for sample in list(samples())[::50])


def test_no_pixel_of_a_photograph_is_in_two_splits(every):
    for scene in every:
        place = scene.place
        assert any(
            place.photograph == name
            and top <= place.top <= top + BLOCK_HEIGHT - place.side
            and left <= place.left <= left + BLOCK_WIDTH - place.side
            for name, top, left in blocks(scene.split)
        )


def test_rendering_is_reproducible(dataset, every):
    for index in (0, 1999, 2750, 3499):
        again = draw(every[index], digits(), photographs())
        np.testing.assert_array_equal(again.pixels, dataset.images[index])
        np.testing.assert_array_equal(again.boxes, dataset.objects(index).boxes)


def test_pictures_are_rendered_once(dataset, monkeypatch):
    monkeypatch.setattr("edgestill.data.digit_scenes.load.draw", None)  # would be a TypeError
    assert load_digit_scenes().digest == dataset.digest


def test_inputs_are_in_zero_to_one(dataset):
    batch = dataset.inputs(np.array([5, 2]))
    assert (batch.dtype, batch.shape) == (np.float32, (2, 3, SIDE, SIDE))
    assert 0 <= batch.min() < batch.max() <= 1
    np.testing.assert_allclose(batch[1] * 255, dataset.images[2], atol=1e-4)
