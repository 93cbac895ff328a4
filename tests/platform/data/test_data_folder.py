"""A manifest folder: what is right is opened memory-mapped, what is wrong gets one clear line."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import yaml

from edgestill.config import DataConfig
from edgestill.data import describe, load_dataset
from edgestill.errors import ConfigurationError, DataError

N = 40


@pytest.fixture
def folder(tmp_path):
    """A right folder of 40 samples; tests then break one thing."""
    rng = np.random.default_rng(0)
    home = tmp_path / "mine"
    home.mkdir()
    np.save(home / "sensor.npy", rng.integers(-9, 9, (N, 6, 12), dtype=np.int8))
    np.save(home / "image.npy", rng.random((N, 3, 4, 4), dtype=np.float32))
    np.save(home / "labels.npy", np.arange(N) % 4)
    np.save(home / "users.npy", np.arange(N) // 4)
    np.save(home / "test.npy", np.arange(30, N))
    write(home, MANIFEST)
    return home


MANIFEST = {
    "name": "mine",
    "classes": 4,
    "modalities": [
        {"kind": "sensor", "file": "sensor.npy", "scale": 0.5, "offset": 1, "synthetic": True},
        {"kind": "visual", "file": "image.npy"},
    ],
    "labels": "labels.npy",
    "users": "users.npy",
    "splits": {
        "public": [0, 10],
        "validation": [10, 15],
        "private": [15, 30],
        "test": "test.npy",
    },
}


def write(home: Path, tree: object) -> None:
    (home / "manifest.yaml").write_text(yaml.safe_dump(tree))


def load(home: Path):
    return load_dataset(DataConfig(name="mine", path=home))


def complaint(home: Path) -> str:
    with pytest.raises(DataError) as caught:
        load(home)
    message = str(caught.value)
    assert "\n" not in message
    assert str(home) in message
    return message


def test_a_right_folder_is_mapped_not_read(folder):
    dataset = load(folder)
    assert dataset.kinds == ("visual", "sensor")
    assert all(isinstance(array, np.memmap) for array in dataset.arrays.values())
    assert not dataset.arrays["visual"].flags.writeable
    assert dataset.modalities["sensor"].synthetic
    assert dataset.modalities["sensor"].shape == (6, 12)
    assert (dataset.labels.dtype, dataset.users.dtype) == (np.int64, np.int64)
    np.testing.assert_array_equal(dataset.splits["test"], np.arange(30, 40))


def test_inputs_are_scaled_float32_in_the_order_asked(folder):
    dataset = load(folder)
    batch = dataset.inputs(np.array([7, 2]))
    assert list(batch) == ["visual", "sensor"]
    assert batch["sensor"].dtype == batch["visual"].dtype == np.float32
    raw = np.load(folder / "sensor.npy")
    np.testing.assert_array_equal(batch["sensor"], raw[[7, 2]].astype(np.float32) * 0.5 + 1)


def test_the_digest_follows_the_content_and_not_the_place(folder, tmp_path):
    before = load(folder).digest
    moved = folder.rename(tmp_path / "elsewhere")
    assert load(moved).digest == before
    labels = np.load(moved / "labels.npy")
    labels[3] = (labels[3] + 1) % 4
    np.save(moved / "labels.npy", labels)
    assert load(moved).digest != before


def test_describe_is_plain(folder):
    told = describe(load(folder))
    assert json.loads(json.dumps(told)) == told
    assert told["modalities"]["visual"]["sample_bytes"] == 3 * 4 * 4 * 4
    assert told["splits"]["public"] == {"samples": 10, "users": 3, "class_counts": [3, 3, 2, 2]}


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        (("nmae",), "x", "nmae: unknown key"),
        (("classes",), "four", "classes: "),
        (("classes",), 1, "classes: "),
        (("labels",), None, "labels: "),
        (("labels",), "../labels.npy", "(labels): '../labels.npy' leads outside the folder"),
        (("labels",), "/etc/hostname", "leads outside the folder"),
        (("labels",), "", "leads outside the folder"),
        (("labels",), "a\0b.npy", "no usable file name"),
        (("labels",), ".", "no such file"),
        (("modalities",), [], "modalities: "),
        (("modalities", 0, "kind"), "smell", "modalities.0.kind: "),
        (("modalities", 0, "kind"), "visual", "two modalities of the kind visual"),
        (("modalities", 0, "scale"), "0.5", "modalities.0.scale: "),
        (("modalities", 0, "scale"), 0, "modalities.0.scale: "),
        (("modalities", 0, "scale"), float("nan"), "modalities.0.scale: "),
        (("modalities", 0, "synthetic"), "yes", "modalities.0.synthetic: "),
        (("modalities", 1, "file"), "sensor.npy", "expected N samples of shape (C, H, W)"),
        (("splits", "spare"), [0, 1], "splits.spare: unknown key"),
        (("splits", "public"), [0, 12], "(splits.validation): sample 10 is also in public"),
        (("splits", "private"), [15, 41], "(splits.private): [15, 41] runs past the 40 samples"),
        (("splits", "public"), [5, 5], "splits.public: expected a range"),
        (("splits", "public"), [-1, 5], "splits.public: expected a range"),
        (("splits", "public"), [0.0, 5], "splits.public: expected the name"),
        (("splits", "public"), 3, "splits.public: expected the name"),
    ],
)
def test_a_wrong_key_is_named(folder, key, value, said):
    tree = yaml.safe_load(yaml.safe_dump(MANIFEST))
    node = tree
    for part in key[:-1]:
        node = node[part]
    node[key[-1]] = value
    write(folder, tree)
    assert said in complaint(folder)


def test_a_missing_key_is_named(folder):
    write(folder, {key: value for key, value in MANIFEST.items() if key != "labels"})
    assert "labels: missing key" in complaint(folder)


@pytest.mark.parametrize("text", ["", "- a", "{", "name: [", "\x00"])
def test_a_manifest_that_is_no_mapping(folder, text):
    (folder / "manifest.yaml").write_text(text)
    assert "manifest.yaml: " in complaint(folder)


def test_no_manifest_and_no_folder(folder):
    (folder / "manifest.yaml").unlink()
    assert "expected a folder with manifest.yaml" in complaint(folder)
    assert "no such file" in complaint(folder / "absent")


def good(values):
    return lambda path: np.save(path, values)


@pytest.mark.parametrize(
    ("file", "breaks", "said"),
    [
        ("image.npy", Path.unlink, "image.npy (modalities.visual.file): no such file"),
        ("image.npy", lambda p: os.truncate(p, 900), "(modalities.visual.file): truncated"),
        ("image.npy", lambda p: os.truncate(p, 40), "(modalities.visual.file): truncated"),
        ("image.npy", lambda p: os.truncate(p, 7), "(modalities.visual.file): truncated"),
        ("image.npy", lambda p: os.truncate(p, 0), "not an .npy file"),
        ("image.npy", lambda p: p.write_bytes(b"P5 4 4 255\n"), "not an .npy file"),
        ("image.npy", good(np.array([{}, {}])), "(modalities.visual.file): truncated or damaged"),
        ("image.npy", good(np.array(["a"] * N)), "expected integers or floats"),
        ("image.npy", good(np.zeros((0, 3, 4, 4))), "truncated or damaged|holds no samples"),
        ("image.npy", good(np.zeros((N - 1, 3, 4, 4))), "39 rows, but there are 40 labels"),
        ("labels.npy", good(np.arange(N)), "labels.npy (labels): 4 in row 4; expected integers"),
        ("labels.npy", good(np.arange(N) - 1), "-1 in row 0; expected integers from 0 to 3"),
        ("labels.npy", good(np.full(N, 0.5)), "0.5 in row 0; expected integers"),
        ("labels.npy", good(np.full(N, np.nan)), "nan in row 0; expected integers"),
        ("labels.npy", good(np.zeros((N, 2), int)), "expected a list of integers"),
        ("labels.npy", good(np.zeros(N, bool)), "expected a list of integers"),
        ("users.npy", good(np.arange(N - 1)), "users.npy (users): 39 rows"),
        ("test.npy", good(np.array([39, 40])), "test.npy (splits.test): 40 in row 1"),
        ("test.npy", good(np.array([39, 39])), "names a sample twice"),
        ("test.npy", good(np.array([29])), "(splits.test): sample 29 is also in private"),
    ],
)
def test_a_wrong_file_is_named(folder, file, breaks, said):
    breaks(folder / file)
    message = complaint(folder)
    assert any(words in message for words in said.split("|"))


@pytest.mark.parametrize("shape", ["(-1, 3, 4, 4)", "(10**30, 3)", "(1,", "'x'"])
def test_a_header_that_lies(folder, shape):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}".ljust(117) + "\n"
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()
    (folder / "image.npy").write_bytes(content + bytes(64))
    assert "(modalities.visual.file): truncated or damaged" in complaint(folder)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_feature_that_is_not_finite_is_found_in_its_chunk(folder, bad, monkeypatch):
    monkeypatch.setattr("edgestill.data.arrays._CHUNK_BYTES", 7 * 3 * 4 * 4 * 4)
    image = np.load(folder / "image.npy")
    image[33, 2, 1, 1] = bad
    np.save(folder / "image.npy", image)
    assert "(modalities.visual.file): NaN or infinity in row 33" in complaint(folder)


def test_a_link_that_leaves_the_folder_is_refused(folder, tmp_path):
    (folder / "image.npy").rename(tmp_path / "image.npy")
    (folder / "image.npy").symlink_to(tmp_path / "image.npy")
    assert "(modalities.visual.file): 'image.npy' is a link to" in complaint(folder)


def test_a_link_within_the_folder_is_fine(folder):
    (folder / "image.npy").rename(folder / "real.npy")
    (folder / "image.npy").symlink_to("real.npy")
    assert load(folder).arrays["visual"].shape == (N, 3, 4, 4)


def test_links_in_a_circle(folder):
    (folder / "image.npy").unlink()
    (folder / "image.npy").symlink_to("image.npy")
    assert "(modalities.visual.file): " in complaint(folder)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (DataConfig(name="mine"), "data.name: 'mine' is not bundled"),
        (DataConfig(layout="multibench_avmnist"), "data.path: missing"),
    ],
)
def test_a_name_that_is_not_bundled_needs_a_path(config, said):
    with pytest.raises(ConfigurationError, match=said):
        load_dataset(config)
