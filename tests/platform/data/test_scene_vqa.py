"""The bundled scene_vqa: what it holds, right answers, backgrounds that no two splits share."""

import hashlib
import io
import math

import numpy as np
import pytest
from PIL import Image

from edgestill.config import DataConfig
from edgestill.data import load_dataset
from edgestill.data.arrays import npy_bytes
from edgestill.data.bundled import artefact_of
from edgestill.data.composites import Draws, photographs
from edgestill.data.composites.regions import BLOCK_HEIGHT, BLOCK_WIDTH
from edgestill.data.scene_vqa import ANSWERS, COLOURS, folder, load_scene_vqa
from edgestill.data.scene_vqa.backgrounds import SIDE, corners
from edgestill.data.scene_vqa.questions import MARGIN_PIXELS, Unaskable, ask
from edgestill.data.scene_vqa.scenes import TINTS, render, scenes
from edgestill.errors import DataError


@pytest.fixture(scope="module")
def vqa():
    return load_scene_vqa()


@pytest.fixture(scope="module")
def few():
    return list(scenes({"public": 40, "test": 10}))


def test_it_is_small_and_has_the_promised_parts(vqa):
    assert artefact_of("scene_vqa").stat().st_size <= 3_000_000
    assert vqa.scenes.arrays["visual"].shape == (9000, 3, 96, 96)
    assert isinstance(vqa.scenes.arrays["visual"], np.memmap)
    assert vqa.questions.shape == (9000, 20, 11)
    assert vqa.answers.shape == (9000, 20)
    assert {name: len(rows) for name, rows in vqa.scenes.splits.items()} == {
        "public": 6000,
        "validation": 800,
        "private": 1200,
        "test": 1000,
    }


def test_it_loads_as_a_plain_data_set_labelled_by_the_number_of_circles(vqa):
    dataset = load_dataset(DataConfig(name="scene_vqa"))
    assert dataset.digest == vqa.scenes.digest
    assert dataset.classes == 7
    np.testing.assert_array_equal(dataset.labels, vqa.objects[:, :, 0].sum(1))


def test_no_pixel_of_a_photograph_is_behind_two_splits():
    covered = {}
    for split in ("public", "validation", "test"):
        seen = {name: np.zeros(pixels.shape[:2], bool) for name, pixels in photographs().items()}
        for name, top, left in corners(split):
            seen[name][top : top + SIDE, left : left + SIDE] = True
        covered[split] = np.stack(list(seen.values()))
        assert covered[split].any(axis=(1, 2)).all(), f"{split} lacks a photograph"
    assert not (covered["public"] & covered["test"]).any()
    assert not (covered["public"] & covered["validation"]).any()
    assert not (covered["validation"] & covered["test"]).any()


def test_every_crop_lies_within_one_block():
    for split in ("public", "validation", "private", "test"):
        for _, top, left in corners(split):
            assert top // BLOCK_HEIGHT == (top + SIDE - 1) // BLOCK_HEIGHT
            assert left // BLOCK_WIDTH == (left + SIDE - 1) // BLOCK_WIDTH


def test_scenes_drawn_again_are_those_of_the_artefact(vqa, few):
    pictures = render(few)
    rows = [*range(40), *range(8000, 8010)]
    np.testing.assert_array_equal(pictures, vqa.scenes.arrays["visual"][rows])
    np.testing.assert_array_equal(np.stack([s.questions for s in few]), vqa.questions[rows])
    np.testing.assert_array_equal(np.stack([s.answers for s in few]), vqa.answers[rows])
    digest = hashlib.sha256(npy_bytes(pictures[:4])).hexdigest()
    assert digest == hashlib.sha256(npy_bytes(render(few[:4]))).hexdigest()


def test_answers_follow_from_the_objects(vqa):
    """Told anew from the objects, by the plain meaning of the questions."""
    for scene in range(0, 9000, 45):
        objects = vqa.objects[scene].astype(int)
        for bits, answer in zip(vqa.questions[scene], vqa.answers[scene], strict=True):
            assert ANSWERS[answer] == _told(objects, bits)


def test_a_question_that_few_pixels_decide_is_not_asked(vqa):
    for scene in range(0, 9000, 45):
        for bits in vqa.questions[scene][:10]:
            colour, which = int(bits[:6].argmax()), int(bits[8:].argmax())
            if which:
                place = vqa.objects[scene, colour, 3 - which]
                assert abs(place - (SIDE - 1) / 2) >= MARGIN_PIXELS


def test_objects_do_not_touch_and_both_shapes_have_as_many_pixels(few):
    for scene in few:
        centres = scene.objects[:, 1:].astype(int)
        apart = np.abs(centres[:, None] - centres[None]).max(-1) + 99 * np.eye(6, dtype=int)
        assert apart.min() > 14
    changed = [_changed_pixels(scene) for scene in few]
    assert changed == [6 * 169] * len(few)


def test_a_picture_survives_a_good_image_codec_by_its_looks(vqa):
    """WebP of good quality changes a pixel by a few levels: the objects stay as visible."""
    pixels = np.ascontiguousarray(vqa.scenes.arrays["visual"][8000].transpose(1, 2, 0))
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=90, method=6)
    restored = np.asarray(Image.open(buffer).convert("RGB")).astype(int)
    assert np.abs(restored - pixels).mean() < 6


def test_a_scene_of_which_too_little_can_be_asked_is_drawn_anew():
    """All objects on the middle lines: neither left nor right, neither top nor bottom."""
    middle = np.array([(0, 47, 48)] * 6, np.uint8)
    with pytest.raises(Unaskable):
        ask(middle, Draws("test", words=200))


def test_damaged_questions_are_named(tmp_path):
    np.save(tmp_path / "answers.npy", np.full((4, 20), 10, np.uint8))
    with pytest.raises(DataError, match=r"answers\.npy"):
        folder._open(tmp_path, "answers", (4, 20), below=len(ANSWERS))


def _told(objects, bits):
    colour, relational, which = bits[:6].argmax(), bits[7] == 1, bits[8:].argmax()
    shape, row, column = objects[colour]
    if not relational:
        if which == 0:
            return ("square", "circle")[shape]
        return "yes" if (column, row)[which - 1] < SIDE / 2 else "no"
    if which == 2:
        return str(int((objects[:, 0] == shape).sum()))
    others = [
        (math.dist(objects[colour, 1:], one[1:]), one[0])
        for index, one in enumerate(objects)
        if index != colour
    ]
    _, found = min(others) if which == 0 else max(others)
    return ("square", "circle")[found]


def _changed_pixels(scene):
    """Return how many pixels differ between black and white objects: those that objects cover."""
    tints = dict(TINTS)
    try:
        pictures = []
        for level in (0, 255):
            TINTS.update(dict.fromkeys(COLOURS, (level,) * 3))
            pictures.append(render([scene])[0].astype(int))
    finally:
        TINTS.update(tints)
    return int((pictures[0] != pictures[1]).any(axis=0).sum())
