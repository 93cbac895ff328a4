"""The bundled av_digits: what it holds, and how it gets into the cache."""

import shutil
import stat
import zipfile
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifier
from sklearn.svm import SVC

from edgestill.config import DataConfig
from edgestill.data import bundled, load_dataset
from edgestill.data.av_digits import images, motion, roster, speech
from edgestill.data.building import find_program, version
from edgestill.errors import DataError


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        return load_dataset(DataConfig())


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A small artefact of two files in place of the real one, and an empty cache."""
    artefact, checksum = tmp_path / "small" / "small.zip", tmp_path / "small" / "small.sha256"
    artefact.parent.mkdir()
    with zipfile.ZipFile(artefact, "w") as archive:
        archive.writestr("manifest.yaml", "name: small\n")
        archive.writestr("values.npy", bytes(200_000))
    checksum.write_text(sha256(artefact.read_bytes()).hexdigest() + "  small.zip\n")
    monkeypatch.setattr(bundled, "HOME", tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return artefact


def test_it_is_small_and_has_the_promised_parts(dataset):
    assert bundled.artefact_of("av_digits").stat().st_size <= 12_000_000
    shapes = {kind: (rows.shape, str(rows.dtype)) for kind, rows in dataset.arrays.items()}
    assert shapes == {
        "visual": ((7188, 1, 8, 8), "uint8"),
        "audio": ((7188, 1, 24, 32), "uint8"),
        "sensor": ((7188, 6, 48), "int8"),
    }
    assert [kind for kind, m in dataset.modalities.items() if m.synthetic] == ["sensor"]
    assert len(np.unique(dataset.users[dataset.splits["private"]])) >= 96


def test_inputs_are_standardised_on_the_public_part(dataset):
    for values in dataset.inputs(dataset.splits["public"]).values():
        assert abs(values.mean()) < 1e-3
        assert abs(values.std() - 1) < 1e-3


def test_no_image_voice_or_user_is_in_two_splits(dataset):
    people = list(roster.users())
    dealt = [image for user in people for image in user.images]
    assert sorted(dealt) == list(range(roster.IMAGES))
    variants = [v for names in roster.VARIANTS.values() for v in names]
    assert len(set(variants)) == len(variants) >= 40
    assert len({user.voice for user in people}) == len(people)
    for user in people:
        own = np.flatnonzero(dataset.users == user.index)
        assert np.isin(own, dataset.splits[user.split]).all()
        assert len(own) == len(user.images) * roster.RENDERINGS
    voices = dataset.provenance["audio"]["voices"]
    assert {u.split: u.voice in voices[u.split] for u in people} == dict.fromkeys(voices, True)


def test_labels_and_images_are_those_of_scikit_learn(dataset):
    source = load_digits()
    order = [i for user in roster.users() for i in user.images for _ in range(roster.RENDERINGS)]
    np.testing.assert_array_equal(dataset.labels, source.target[order])
    public = np.unique(np.array(order)[dataset.splits["public"]])
    degraded = images.degrade(source.data, public)[order]
    assert np.abs(degraded.astype(int) - dataset.arrays["visual"][:]).max() <= 1
    assert images.kept_energy_ratio(source.data, public) < 0.5


def test_one_modality_alone_is_not_enough(dataset):
    public, held_out = dataset.splits["public"], dataset.splits["validation"]
    train, test = dataset.inputs(public[::2]), dataset.inputs(held_out)
    train["audio"], test["audio"] = (part["audio"].mean(axis=3) for part in (train, test))

    def accuracy(*kinds, model):
        x, y = (
            np.concatenate([part[kind].reshape(len(part[kind]), -1) for kind in kinds], axis=1)
            for part in (train, test)
        )
        return model.fit(x, dataset.labels[public[::2]]).score(y, dataset.labels[held_out])

    assert 0.70 < accuracy("visual", model=SVC()) < 0.88
    single = [accuracy(kind, model=RidgeClassifier()) for kind in dataset.kinds]
    assert min(single) > 0.25
    assert accuracy(*dataset.kinds, model=RidgeClassifier()) > max(single) + 0.03


@pytest.mark.parametrize("sample", [0, 2500, 7187])
def test_the_script_still_makes_the_committed_traces(dataset, sample):
    user = list(roster.users())[dataset.users[sample]]
    again = motion.trace(user, int(dataset.labels[sample]), sample)
    assert np.abs(again.astype(int) - dataset.arrays["sensor"][sample]).max() <= 1


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
@pytest.mark.parametrize("sample", [0, 2500, 7187])
def test_the_script_still_makes_the_committed_speech(dataset, sample):
    program = find_program()
    built_with = dataset.provenance["built_with"]["espeak-ng"]
    if version(program) != built_with:
        pytest.skip(f"the artefact was spoken by espeak-ng {built_with}")
    user = list(roster.users())[dataset.users[sample]]
    again = speech.spectrogram(program, user, int(dataset.labels[sample]), sample)
    assert np.abs(again.astype(int) - dataset.arrays["audio"][sample]).max() <= 1


def test_it_is_unpacked_once(small):
    folder = bundled.unpacked("small")
    written = (folder / "values.npy").stat().st_mtime_ns
    assert bundled.unpacked("small") == folder
    assert (folder / "values.npy").stat().st_mtime_ns == written


def test_many_at_once_leave_whole_files_and_nothing_else(small):
    def unpack(_):
        return (bundled.unpacked("small") / "values.npy").read_bytes() == bytes(200_000)

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(unpack, range(32)))
    folder = bundled.unpacked("small")
    assert sorted(p.name for p in folder.iterdir()) == ["manifest.yaml", "values.npy"]


@pytest.mark.parametrize("content", [None, b"", b"\x01" * 200_000])
def test_a_damaged_cache_is_mended(small, content):
    path = bundled.unpacked("small") / "values.npy"
    path.unlink() if content is None else path.write_bytes(content)
    assert (bundled.unpacked("small") / "values.npy").read_bytes() == bytes(200_000)


def test_a_read_only_cache_that_is_whole_is_used(small, monkeypatch):
    folder = bundled.unpacked("small")
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    monkeypatch.setattr(bundled, "write_whole", None)  # any attempt to write would be a TypeError
    assert bundled.unpacked("small") == folder
    folder.chmod(stat.S_IRWXU)


def test_a_cache_that_cannot_be_written_is_named(small, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(DataError, match="cannot be written; set XDG_CACHE_HOME"):
        bundled.unpacked("small")


def test_a_failed_write_leaves_no_rest(small, tmp_path):
    folder = bundled.unpacked("small")
    (folder / "values.npy").unlink()
    (folder / "values.npy" / "inner").mkdir(parents=True)
    with pytest.raises(DataError, match=r"values\.npy: missing or damaged"):
        bundled.unpacked("small")
    assert sorted(p.name for p in folder.iterdir()) == ["manifest.yaml", "values.npy"]


def test_a_damaged_or_missing_artefact_is_named(small):
    small.write_bytes(small.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"small\.zip: SHA-256 is not that of small\.sha256"):
        bundled.unpacked("small")
    small.unlink()
    with pytest.raises(DataError, match=r"small\.zip: cannot be read"):
        bundled.unpacked("small")


def test_a_relative_cache_home_is_ignored(small, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert bundled.unpacked("small").is_relative_to(tmp_path / "home" / ".cache")
