"""Inversion: what is there to be read is read, what is not there is not."""

import numpy as np
import pytest
import torch

from edgestill.privacy.attacks import (
    Secrets,
    Seen,
    invert_features,
    leakage_table,
    mean_psnr_db,
    mean_ssim,
)

PUBLIC, TEST = 240, 40


@pytest.fixture(scope="module", autouse=True)
def one_torch_thread():
    torch.set_num_threads(1)


def smooth(count, shape, seed):
    """Blobs at random places: inputs with structure, drawn alike for the public and for test."""
    rng = np.random.default_rng(seed)
    grids = np.meshgrid(*(np.linspace(0, 1, length) for length in shape[1:]), indexing="ij")
    centres = rng.uniform(0.2, 0.8, (count, shape[0], len(grids)))
    distances = sum(
        (grid - centres[:, :, axis].reshape(count, shape[0], *(1,) * len(grids))) ** 2
        for axis, grid in enumerate(grids)
    )
    return np.exp(-distances / 0.05).astype(np.float32)


@pytest.fixture(scope="module", params=[(3, 12, 12), (1, 9, 14), (2, 24)], ids=str)
def inputs(request):
    return smooth(PUBLIC, request.param, 0), smooth(TEST, request.param, 1)


def flat(values):
    return values.reshape(len(values), -1)


def test_raw_input_is_inverted_whole(inputs):
    public, test = inputs
    found = invert_features(public, public, test, test, seed=0, epochs=0)
    assert found.psnr_db > 90
    assert found.ssim > 0.999
    assert found.decoder == "identity"


def test_a_rotation_hides_nothing(inputs):
    public, test = inputs
    size = flat(public).shape[1]
    rotation = np.linalg.qr(np.random.default_rng(2).normal(size=(size, size)))[0]
    seen, test_seen = (flat(part) @ rotation.astype(np.float32) for part in inputs)
    found = invert_features(seen, public, test_seen, test, seed=0, epochs=0)
    assert found.psnr_db > 30
    assert found.reconstructions.shape == test.shape
    np.testing.assert_allclose(found.reconstructions, test, atol=0.3)


def test_noise_reveals_no_more_than_the_mean_does(inputs):
    public, test = inputs
    rng = np.random.default_rng(3)
    seen, test_seen = (rng.normal(size=(len(p), 16)).astype(np.float32) for p in inputs)
    found = invert_features(seen, public, test_seen, test, seed=0, epochs=5)
    assert found.psnr_db < found.blind_psnr_db + 0.5


def test_the_network_reads_what_a_linear_map_cannot(inputs):
    public, test = inputs
    rng = np.random.default_rng(4)
    mixing = rng.normal(size=(flat(public).shape[1], 40)).astype(np.float32)
    seen, test_seen = (np.sin(flat(part) @ mixing / 3) for part in inputs)
    linear = invert_features(seen, public, test_seen, test, seed=0, epochs=0)
    both = invert_features(seen, public, test_seen, test, seed=0, epochs=20)
    assert both.decoder == "network"
    assert both.psnr_db > linear.psnr_db > linear.blind_psnr_db


def test_feature_maps_are_inverted_where_they_lie():
    public, test = smooth(PUBLIC, (1, 12, 12), 0), smooth(TEST, (1, 12, 12), 1)
    torch.manual_seed(0)
    layer = torch.nn.Sequential(torch.nn.Conv2d(1, 6, 3, stride=2, padding=1), torch.nn.ReLU())
    with torch.inference_mode():
        seen, test_seen = (layer(torch.from_numpy(part)).numpy() for part in (public, test))
    found = invert_features(seen, public, test_seen, test, seed=0, epochs=10)
    assert found.psnr_db > found.blind_psnr_db + 10


def test_the_same_seed_gives_the_same_reconstructions():
    public, test = smooth(60, (1, 8, 8), 0), smooth(8, (1, 8, 8), 1)
    seen, test_seen = np.tanh(flat(public)[:, ::5]), np.tanh(flat(test)[:, ::5])
    torch.manual_seed(9)
    first = invert_features(seen, public, test_seen, test, seed=1, epochs=3)
    torch.manual_seed(10)
    state = torch.random.get_rng_state()
    second = invert_features(seen, public, test_seen, test, seed=1, epochs=3)
    np.testing.assert_array_equal(first.reconstructions, second.reconstructions)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_what_is_compared_with_never_reaches_the_attack():
    public, test = smooth(60, (1, 8, 8), 0), smooth(8, (1, 8, 8), 1)
    seen, test_seen = flat(public)[:, ::5], flat(test)[:, ::5]
    right = invert_features(seen, public, test_seen, test, seed=1, epochs=2)
    wrong = invert_features(seen, public, test_seen, 1 - test, seed=1, epochs=2)
    np.testing.assert_array_equal(right.reconstructions, wrong.reconstructions)


def test_golden_values_of_psnr_and_ssim():
    truth = smooth(2, (1, 12, 12), 0)
    assert mean_psnr_db(truth, truth, span=1.0) == 100.0
    assert mean_psnr_db(truth + np.float32(0.1), truth, span=1.0) == pytest.approx(20, abs=1e-4)
    assert mean_psnr_db(truth + np.float32(0.1), truth, span=10.0) == pytest.approx(40, abs=1e-4)
    assert mean_ssim(truth, truth, span=1.0) == pytest.approx(1.0)
    # Of constants only the luminance term is left: 2ab / (a^2 + b^2), C1 = 1e-4 beside it.
    flats = (np.full((1, 1, 12, 12), 0.2, np.float32), np.full((1, 1, 12, 12), 0.8, np.float32))
    assert mean_ssim(*flats, span=1.0) == pytest.approx((0.32 + 1e-4) / (0.68 + 1e-4), abs=1e-4)


def test_a_table_of_representations():
    public, test = smooth(80, (1, 8, 8), 0), smooth(20, (1, 8, 8), 1)
    left, left_test = (p.argmax(axis=-1).mean(axis=(1, 2)) < 4 for p in (public, test))
    secrets = Secrets(
        public_inputs=public,
        test_inputs=test,
        public_attribute=left.astype(np.int64),
        test_attribute=left_test.astype(np.int64),
        value_range=(0.0, 1.0),
    )
    nothing = Seen(public=np.zeros((80, 4), np.float32), test=np.zeros((20, 4), np.float32))
    table = leakage_table(
        {"raw": Seen(public=public, test=test), "nothing": nothing}, secrets, seed=0, epochs=1
    )
    raw, none = (leakage.row() for leakage in table)
    assert (raw["representation"], none["representation"]) == ("raw", "nothing")
    assert raw["inversion_psnr_db"] > none["inversion_psnr_db"] + 20
    assert none["inversion_psnr_db"] == pytest.approx(none["blind_psnr_db"], abs=1.0)
    assert raw["attribute_accuracy"] > none["attribute_accuracy"]
    assert none["attribute_accuracy"] == none["attribute_chance"]


@pytest.mark.parametrize(
    ("seen", "inputs", "test_seen", "test_inputs"),
    [
        ((20, 3), (19, 1, 4, 4), (2, 3), (2, 1, 4, 4)),
        ((20, 3), (20, 1, 4, 4), (2, 4), (2, 1, 4, 4)),
        ((20, 3), (20, 16), (2, 3), (2, 16)),
        ((4, 3), (4, 1, 4, 4), (2, 3), (2, 1, 4, 4)),
        ((20, 3), (20, 1, 4, 4), (0, 3), (0, 1, 4, 4)),
    ],
)
def test_shapes_that_do_not_fit_are_refused(seen, inputs, test_seen, test_inputs):
    arrays = [np.zeros(shape, np.float32) for shape in (seen, inputs, test_seen, test_inputs)]
    with pytest.raises(ValueError, match="expected at least 8 public pairs"):
        invert_features(*arrays, seed=0)


def test_values_that_are_no_numbers_are_refused():
    public, test = smooth(20, (1, 4, 4), 0), smooth(2, (1, 4, 4), 1)
    with pytest.raises(ValueError, match="NaN"):
        invert_features(flat(public) * np.nan, public, flat(test), test, seed=0)
    with pytest.raises(ValueError, match="ascending"):
        invert_features(flat(public), public * 0, flat(test), test, seed=0)
