"""The published layouts, on arrays of few rows and the published row shapes."""

import numpy as np
import pytest

from edgestill.config import DataConfig
from edgestill.data import describe, load_dataset
from edgestill.errors import DataError

TRAIN, TEST = 60, 7
RNG = np.random.default_rng(0)
LABELS = {"train": np.arange(TRAIN) % 10, "test": np.arange(TEST)}


@pytest.fixture
def avmnist(tmp_path):
    for half, rows in (("train", TRAIN), ("test", TEST)):
        for part, shape in (("image", (784,)), ("audio", (112, 112))):
            (tmp_path / part).mkdir(exist_ok=True)
            values = RNG.integers(0, 256, (rows, *shape)).astype(np.float32)
            np.save(tmp_path / part / f"{half}_data.npy", values)
        np.save(tmp_path / f"{half}_labels.npy", LABELS[half])
    return DataConfig(name="AV-MNIST", path=tmp_path, layout="multibench_avmnist")


@pytest.fixture
def digits(tmp_path):
    for half, rows in (("train", TRAIN), ("test", TEST)):
        np.save(tmp_path / f"data_wr_{half}.npy", RNG.random((rows, 784)))
        np.save(tmp_path / f"data_sp_{half}.npy", RNG.normal(size=(rows, 507)))
        np.save(tmp_path / f"labels_{half}.npy", LABELS[half].astype(np.float64))
    return DataConfig(name="digits", path=tmp_path, layout="written_spoken_digits")


def test_avmnist_has_the_published_shapes_and_scale(avmnist):
    dataset = load_dataset(avmnist)
    assert (dataset.name, dataset.classes, dataset.users) == ("AV-MNIST", 10, None)
    batch = dataset.inputs(np.array([0, TRAIN, TRAIN + 6]))
    assert batch["visual"].shape == (3, 1, 28, 28)
    assert batch["audio"].shape == (3, 1, 112, 112)
    raw = np.load(avmnist.path / "image" / "test_data.npy")[6].reshape(1, 28, 28)
    np.testing.assert_allclose(batch["visual"][2], raw / 255, rtol=1e-6)
    assert describe(dataset)["modalities"]["audio"]["sample_bytes"] == 112 * 112 * 4


def test_nothing_is_copied(avmnist):
    rows = load_dataset(avmnist).arrays["visual"]
    for half, name in ((rows.head, "train"), (rows.tail, "test")):
        assert isinstance(half, np.memmap)
        assert half.base is not None
        assert str(half.filename).endswith(f"{name}_data.npy")


def test_spoken_coefficients_have_time_last(digits):
    dataset = load_dataset(digits)
    assert dataset.modalities["audio"].shape == (1, 13, 39)
    raw = np.load(digits.path / "data_sp_train.npy")[4]
    got = dataset.inputs(np.array([4]))["audio"][0, 0]
    assert got[2, 30] == np.float32(raw[30 * 13 + 2])


def test_pixels_are_brought_to_one_whatever_their_range(digits):
    assert load_dataset(digits).modalities["visual"].scale == 1.0
    for half in ("train", "test"):
        path = digits.path / f"data_wr_{half}.npy"
        np.save(path, np.load(path) * 255)
    assert load_dataset(digits).modalities["visual"].scale == pytest.approx(1 / 255)


def test_the_splits_are_as_documented(avmnist):
    splits = load_dataset(avmnist).splits
    np.testing.assert_array_equal(splits["validation"], np.arange(55, 60))
    np.testing.assert_array_equal(splits["test"], np.arange(60, 67))
    np.testing.assert_array_equal(splits["public"][:5], [0, 1, 5, 6, 10])
    np.testing.assert_array_equal(
        np.sort(np.concatenate(list(splits.values()))), np.arange(TRAIN + TEST)
    )


@pytest.mark.parametrize("index", [3, -1, slice(50, 65), np.array([65, 2, 61, 2])])
def test_two_halves_index_like_one_array(avmnist, index):
    rows = load_dataset(avmnist).arrays["audio"]
    whole = np.concatenate([rows.head, rows.tail])
    assert (rows.shape, len(rows), rows.dtype) == (whole.shape, len(whole), whole.dtype)
    np.testing.assert_array_equal(rows[index], whole[index])


@pytest.mark.parametrize(
    ("file", "values", "said"),
    [
        (
            "image/train_data.npy",
            np.zeros((TRAIN, 783)),
            r"rows of shape \(783,\); expected \(784,\)",
        ),
        ("audio/test_data.npy", np.zeros((TEST + 1, 112, 112)), "8 rows, but there are 7 labels"),
        ("audio/test_data.npy", np.full((TEST, 112, 112), np.nan), "NaN or infinity in row 0"),
        ("test_labels.npy", np.full(TEST, 10), "10 in row 0; expected integers from 0 to 9"),
        ("train_labels.npy", np.zeros(3, int), "3 train and 7 test rows"),
    ],
)
def test_wrong_arrays_are_named(avmnist, file, values, said):
    np.save(avmnist.path / file, values)
    with pytest.raises(DataError, match=said) as caught:
        load_dataset(avmnist)
    assert file in str(caught.value)


def test_a_folder_of_another_layout_is_named(digits):
    with pytest.raises(DataError, match=r"train_labels\.npy \(data\.path\): no such file"):
        load_dataset(digits.model_copy(update={"layout": "multibench_avmnist"}))
    with pytest.raises(DataError, match="no such folder"):
        load_dataset(digits.model_copy(update={"path": digits.path / "absent"}))
