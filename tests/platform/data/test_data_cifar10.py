"""CIFAR-10's binary version, on files of few records of the published form."""

import pickle

import numpy as np
import pytest

from edgestill.config import DataConfig
from edgestill.data import load_dataset
from edgestill.errors import DataError

RECORDS = 12
RNG = np.random.default_rng(0)
NAMES = [*(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin"]


@pytest.fixture
def folder(tmp_path):
    home = tmp_path / "cifar-10-batches-bin"
    home.mkdir()
    for name in NAMES:
        records = RNG.integers(0, 256, (RECORDS, 3073)).astype(np.uint8)
        records[:, 0] = np.arange(RECORDS) % 10
        (home / name).write_bytes(records.tobytes())
    (home / "batches.meta.txt").write_text("airplane\nautomobile\n")
    return home


def load(folder):
    return load_dataset(DataConfig(name="CIFAR-10", path=folder, layout="cifar10_binary"))


class Trap:
    """Unpickling it would raise SystemExit."""

    def __reduce__(self):
        return SystemExit, ("unpickled",)


def test_records_are_labels_and_three_planes_of_pixels(folder):
    dataset = load(folder)
    assert (dataset.name, dataset.classes, dataset.kinds) == ("CIFAR-10", 10, ("visual",))
    sample = 3 * RECORDS + 7  # record 7 of data_batch_4.bin
    record = (folder / "data_batch_4.bin").read_bytes()[7 * 3073 : 8 * 3073]
    pixels = dataset.inputs(np.array([sample, 0]))["visual"]
    assert pixels.shape == (2, 3, 32, 32)
    assert dataset.labels[sample] == record[0] == 7
    # Channel 2 (blue), row 5, column 9.
    assert pixels[0, 2, 5, 9] == pytest.approx(record[1 + 2 * 1024 + 5 * 32 + 9] / 255)
    assert 0 <= pixels.min() < pixels.max() <= 1


def test_the_test_batch_is_test_and_the_rest_is_dealt_as_in_other_layouts(folder):
    splits = load(folder).splits
    np.testing.assert_array_equal(splits["test"], np.arange(60, 72))
    np.testing.assert_array_equal(splits["validation"], np.arange(55, 60))
    np.testing.assert_array_equal(splits["public"][:4], [0, 1, 5, 6])
    np.testing.assert_array_equal(np.sort(np.concatenate(list(splits.values()))), np.arange(72))


def test_the_folder_above_will_do_too(folder):
    assert load(folder.parent).digest == load(folder).digest


@pytest.mark.parametrize("beside", ["cifar-10-batches-py", "."])
def test_the_python_version_is_refused_unopened(tmp_path, beside):
    home = tmp_path / beside
    home.mkdir(exist_ok=True)
    (home / "data_batch_1").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(DataError, match=r"data_batch_1 \(data\.path\): CIFAR-10's Python version"):
        load(tmp_path)
    with pytest.raises(DataError, match=r"expected its binary version, cifar-10-binary\.tar\.gz"):
        load(home)


def test_a_truncated_file_is_named(folder):
    path = folder / "data_batch_3.bin"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"data_batch_3\.bin \(data\.path\): 36776 bytes, not a wh"):
        load(folder)
    path.write_bytes(b"")
    with pytest.raises(DataError, match=r"data_batch_3\.bin \(data\.path\): 0 bytes"):
        load(folder)


def test_a_missing_file_is_named(folder):
    (folder / "test_batch.bin").unlink()
    with pytest.raises(DataError, match=r"test_batch\.bin \(data\.path\): no such file; expected"):
        load(folder)


def test_a_label_above_nine_is_named(folder):
    path = folder / "data_batch_2.bin"
    content = bytearray(path.read_bytes())
    content[4 * 3073] = 10
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"batch_2\.bin \(data\.path\): label 10 in record 4"):
        load(folder)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(DataError, match=r"absent \(data\.path\): no such folder; expected cifar"):
        load(tmp_path / "absent")
