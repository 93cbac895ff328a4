"""The bundled photo_digits: real digits over real photographs, rendered once, parts kept apart."""

import hashlib
import math
from itertools import product

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_sample_image

from edgestill.config import DataConfig
from edgestill.data import bundled, load_dataset
from edgestill.data.composites import (
    Draws,
    Place,
    Pose,
    blend,
    coverage,
    crop,
    digits,
    photographs,
    rendered,
)
from edgestill.data.composites.regions import BLOCK_HEIGHT, BLOCK_WIDTH, blocks
from edgestill.data.photo_digits.samples import render, samples
from edgestill.errors import DataError

SPLITS = ("public", "validation", "private", "test")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("cache")
        patch.setenv("XDG_CACHE_HOME", str(home))
        yield home


@pytest.fixture(scope="module")
def dataset(cache):
    return load_dataset(DataConfig(name="photo_digits"))


@pytest.fixture(scope="module")
def every():
    return list(samples())


def test_it_is_small_as_committed_and_has_the_promised_parts(dataset):
    assert bundled.artefact_of("photo_digits").stat().st_size < 200_000
    assert bundled.artefact_of("composites").stat().st_size < 700_000
    assert (dataset.kinds, dataset.classes, len(dataset)) == (("visual",), 10, 16976)
    assert dataset.arrays["visual"].shape == (16976, 3, 32, 32)
    public = dataset.inputs(dataset.splits["public"])["visual"]
    assert abs(public.mean()) < 1e-3
    assert abs(public.std() - 1) < 1e-3


def test_digits_and_photographs_are_those_of_scikit_learn(cache):
    source = load_digits()
    np.testing.assert_array_equal(digits().images, source.images)
    np.testing.assert_array_equal(digits().labels, source.target)
    for name, pixels in photographs().items():
        # Decoders of JPEG may differ by a little.
        there = load_sample_image(f"{name}.jpg").astype(int)
        assert np.abs(there - pixels).mean() < 1


def test_samples_lie_in_their_splits_with_their_labels(dataset, every):
    splits = np.empty(len(dataset), "U10")
    for name, indices in dataset.splits.items():
        splits[indices] = name
    assert [sample.split for sample in every] == splits.tolist()
    images = [sample.image for sample in every]
    np.testing.assert_array_equal(dataset.labels, digits().labels[images])


def test_no_image_of_a_digit_is_in_two_splits(every):
    owners = {split: {s.image for s in every if s.split == split} for split in SPLITS}
    assert sum(map(len, owners.values())) == len(set.union(*owners.values())) == 1797


def test_no_pixel_of_a_photograph_is_in_two_splits(every):
    names = list(photographs())
    used = np.zeros((len(SPLITS), 2, 427, 640), bool)
    for sample in every:
        place = sample.place
        reach = place.side * place.zoom
        photograph = used[SPLITS.index(sample.split), names.index(place.photograph)]
        assert place.top + reach <= 427
        assert place.left + reach <= 640
        photograph[place.top : place.top + reach, place.left : place.left + reach] = True
    assert used.sum(axis=0).max() == 1
    assert (used.reshape(len(SPLITS), 2, -1).mean(axis=2) > 0.05).all()  # both, in every split


def test_every_block_belongs_to_one_split():
    found = [block for split in SPLITS for block in blocks(split)]
    assert len(found) == len(set(found)) == 24
    assert all(top + BLOCK_HEIGHT <= 427 and left + BLOCK_WIDTH <= 640 for _, top, left in found)


def test_no_two_samples_are_alike(dataset):
    rows = dataset.arrays["visual"][:].reshape(len(dataset), -1)
    assert len({hashlib.blake2b(row.tobytes()).digest() for row in rows}) == len(dataset)


def test_rendering_gives_the_same_pixels_in_any_order_and_number(dataset, every):
    chosen = [12_000, 3, 7_999, 16_975]
    again = render([every[i] for i in chosen], digits(), photographs())
    np.testing.assert_array_equal(again, dataset.arrays["visual"][chosen])


def test_a_digit_inverts_what_is_behind_it():
    background = np.array([[[200, 30, 128], [10, 20, 30]]], np.uint8)
    inked = np.array([[255, 0]], np.uint8)
    blended = blend(background, inked, (255, 100, 128))
    np.testing.assert_array_equal(blended, [[[55, 70, 0], [10, 20, 30]]])


def test_a_digit_can_be_seen_where_its_pose_says():
    image = np.zeros((1, 8, 8), np.uint8)
    image[0, 1:7, 3:5] = 16  # an upright stroke
    upright = Pose(row=16 * 16, column=10 * 16, side_pixels=16, angle_degrees=0, ink=(255,) * 3)
    (inked,) = coverage(image, [upright], (32, 32))
    rows, columns = np.nonzero(inked > 128)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (10, 21, 8, 11)
    lying = Pose(row=16 * 16, column=10 * 16, side_pixels=16, angle_degrees=90, ink=(255,) * 3)
    (turned,) = coverage(image, [lying], (32, 32))
    np.testing.assert_array_equal(turned[8:24, 2:18], np.rot90(inked[8:24, 2:18]))


def test_no_rendering_hangs_on_the_last_bits_of_a_cosine():
    for side, degrees in product(range(14, 41), range(1, 21)):
        for function in (math.cos, math.sin):
            steps = function(math.radians(degrees)) * (8 << 12) / side  # rounded by glyphs.py
            assert abs(steps % 1 - 0.5) > 1e-4


def test_a_zoomed_crop_is_the_mean_of_its_pixels():
    pixels = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    place = Place(photograph="any", top=0, left=2, side=2, zoom=2)
    np.testing.assert_allclose(
        crop(pixels, place), pixels[:, 2:].reshape(2, 2, 2, 2, 3).mean(axis=(1, 3)), atol=0.5
    )


def test_draws_are_those_that_the_artefacts_were_built_with():
    draws = Draws("golden", words=12)
    assert [draws.integer(0, 99) for _ in range(4)] == [15, 43, 19, 8]
    assert sorted(draws.permutation(9)) == list(range(9))
    with pytest.raises(IndexError, match="only 12 words"):
        draws.integer(0, 1)


def test_what_is_rendered_is_checked_kept_and_mended(tmp_path):
    path, made = tmp_path / "rows.bin", []

    def make():
        made.append(1)
        return b"right"

    (tmp_path / "rows.sha256").write_text(hashlib.sha256(b"right").hexdigest() + "  rows.bin\n")
    for _ in range(3):
        assert rendered(path, make).read_bytes() == b"right"
    assert len(made) == 1
    path.write_bytes(b"damaged")
    assert rendered(path, make).read_bytes() == b"right"
    path.unlink()
    with pytest.raises(DataError, match=r"rows\.bin: rendered otherwise here than where it was"):
        rendered(path, lambda: b"wrong")
    assert not path.exists()
