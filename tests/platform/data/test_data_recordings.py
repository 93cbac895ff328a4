"""CREMA-D and RAVDESS: folders laid out like theirs, with tones in place of voices."""

import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile

from edgestill.config import DataConfig, PartitionConfig
from edgestill.data import describe, load_dataset, partition
from edgestill.data.recordings import features
from edgestill.errors import DataError

CODES = ("NEU", "HAP", "SAD", "ANG", "FEA", "DIS")
RATE_HZ = 16_000


def tone(path, *, frequency_hz=440.0, seconds=1.0, rate_hz=RATE_HZ, dtype=np.int16):
    """Write a tone with a tenth of a second of silence at both ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    time_s = np.arange(int(seconds * rate_hz)) / rate_hz
    wave = np.pad(0.5 * np.sin(2 * np.pi * frequency_hz * time_s), rate_hz // 10)
    whole = 1 if dtype == np.float32 else np.iinfo(dtype).max
    wavfile.write(path, rate_hz, (wave * whole).astype(dtype))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "edgestill"


@pytest.fixture
def crema_d(tmp_path):
    """Ten actors, each with all six emotions."""
    for actor in range(1001, 1011):
        for number, code in enumerate(CODES):
            tone(
                tmp_path / "c" / "AudioWAV" / f"{actor}_DFA_{code}_XX.wav",
                frequency_hz=200 * (number + 1),
            )
    return DataConfig(name="crema", path=tmp_path / "c", layout="crema_d")


@pytest.fixture
def ravdess(tmp_path):
    """Four actors, each with the eight emotions spoken and one song."""
    for actor in range(1, 5):
        folder = tmp_path / "r" / f"Actor_{actor:02}"
        for emotion in range(1, 9):
            tone(folder / f"03-01-{emotion:02}-01-02-01-{actor:02}.wav", rate_hz=48_000)
        tone(folder / f"03-02-03-01-02-01-{actor:02}.wav", rate_hz=48_000)
    return DataConfig(name="ravdess", path=tmp_path / "r", layout="ravdess")


def frames_for(config, names, *, count=3):
    for place, name in enumerate(names):
        folder = config.path / "frames" / name
        folder.mkdir(parents=True)
        for frame in range(count):
            grey = Image.new("L", (80, 60), 10 * place + frame)
            grey.save(folder / f"{frame:03}.png")


def test_labels_and_actors_come_from_the_names(crema_d, ravdess):
    crema = load_dataset(crema_d)
    assert (len(crema), crema.classes, crema.kinds) == (60, 6, ("audio",))
    by_actor = crema.labels.reshape(10, 6)
    assert (np.sort(by_actor, axis=1) == np.arange(6)).all()
    # Names are in alphabetical order: angry, disgusted, fearful, happy, neutral, sad.
    np.testing.assert_array_equal(by_actor[0], [3, 5, 4, 1, 0, 2])
    np.testing.assert_array_equal(crema.users, np.repeat(np.arange(1001, 1011), 6))
    spoken = load_dataset(ravdess)
    assert (len(spoken), spoken.classes) == (32, 8)
    np.testing.assert_array_equal(spoken.labels, np.tile(np.arange(8), 4))
    np.testing.assert_array_equal(np.unique(spoken.users), [1, 2, 3, 4])
    assert describe(spoken)["provenance"]["classes"][3] == "sad"


def test_no_actor_is_in_two_splits_and_every_split_has_one(crema_d, ravdess):
    for config in (crema_d, ravdess):
        dataset = load_dataset(config)
        actors = [set(dataset.users[rows]) for rows in dataset.splits.values()]
        assert all(actors)
        assert sum(map(len, actors)) == len(set().union(*actors)) == len(np.unique(dataset.users))
    private = load_dataset(crema_d).splits["private"]
    users = load_dataset(crema_d).users[private]
    owned = partition(
        PartitionConfig(kind="user"),
        labels=load_dataset(crema_d).labels[private],
        users=users,
        devices=3,
        seed=0,
    )
    assert [len(np.unique(users[rows])) for rows in owned] == [1, 1, 1]


def test_a_clip_is_loudest_in_the_band_of_its_tone(crema_d):
    dataset = load_dataset(crema_d)
    cells = dataset.arrays["audio"][:6, 0].astype(float)
    loudest = cells.mean(axis=2).argmax(axis=1)
    assert (np.argsort(loudest) == np.argsort(dataset.labels[:6])).all()
    public = dataset.inputs(dataset.splits["public"])["audio"]
    assert abs(public.mean()) < 1e-3
    assert abs(public.std() - 1) < 1e-3


@pytest.mark.parametrize(
    ("rate_hz", "dtype"),
    [(48_000, np.int16), (16_000, np.int32), (22_050, np.float32), (8_000, np.uint8)],
)
def test_rates_and_sample_formats_give_the_same_spectrogram(tmp_path, rate_hz, dtype):
    tone(tmp_path / "reference.wav", seconds=3.5)
    path = tmp_path / "other.wav"
    time_s = np.arange(int(3.5 * rate_hz)) / rate_hz
    wave = 0.5 * np.sin(2 * np.pi * 440 * time_s)
    if dtype == np.uint8:
        stored = np.rint(128 + 127 * wave).astype(np.uint8)
    else:
        whole = 1 if dtype == np.float32 else np.iinfo(dtype).max
        stored = (wave * whole).astype(dtype)
    wavfile.write(path, rate_hz, np.stack([stored, stored], axis=1))
    expected = features.spectrogram(tmp_path / "reference.wav").astype(int)
    again = features.spectrogram(path).astype(int)
    loud = expected > 200
    assert loud.any()
    assert np.abs(again - expected)[loud].max() <= 4


def test_silence_is_silent(tmp_path):
    wavfile.write(tmp_path / "a.wav", RATE_HZ, np.zeros(RATE_HZ, np.int16))
    assert not features.spectrogram(tmp_path / "a.wav").any()


def test_features_are_computed_once_and_memory_mapped(crema_d, cache, monkeypatch):
    first = load_dataset(crema_d)
    monkeypatch.setattr("edgestill.data.recordings.assemble.spectrogram", None)
    again = load_dataset(crema_d)
    assert again.digest == first.digest
    assert isinstance(again.arrays["audio"], np.memmap)
    assert len(list(cache.iterdir())) == 1


def test_a_changed_file_is_computed_anew(crema_d):
    first = load_dataset(crema_d)
    tone(crema_d.path / "AudioWAV" / "1001_DFA_ANG_XX.wav", frequency_hz=3_000, seconds=2)
    again = load_dataset(crema_d)
    assert (again.arrays["audio"][0] != first.arrays["audio"][0]).any()
    assert (again.arrays["audio"][1:] == first.arrays["audio"][1:]).all()


def test_the_middle_frame_is_the_picture(crema_d):
    names = sorted(path.stem for path in (crema_d.path / "AudioWAV").iterdir())[:6]
    frames_for(crema_d, names)
    for path in (crema_d.path / "AudioWAV").iterdir():
        if path.stem not in names:
            frames_for(crema_d, [path.stem], count=1)
    dataset = load_dataset(crema_d)
    assert dataset.kinds == ("visual", "audio")
    assert dataset.modalities["visual"].shape == (1, 64, 64)
    pictures = dataset.arrays["visual"][:6]
    np.testing.assert_array_equal(pictures[:, 0, 30, 30], 10 * np.arange(6) + 1)


def test_ravdess_frames_may_be_of_either_kind_of_video(ravdess):
    names = [path.stem for path in sorted(ravdess.path.glob("Actor_*/03-01-*.wav"))]
    frames_for(ravdess, [f"0{1 + place % 2}{name[2:]}" for place, name in enumerate(names[:20])])
    frames_for(ravdess, [f"01{name[2:]}" for name in names[20:]])
    pictures = load_dataset(ravdess).arrays["visual"]
    np.testing.assert_array_equal(pictures[:20, 0, 0, 0], 10 * np.arange(20) + 1)


def write_text(path):
    path.write_text("version https://git-lfs.github.com/spec/v1\n")


def break_link(path):
    path.unlink()
    path.symlink_to(path.with_name("absent.wav.annex"))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (break_link, "cannot be read: No such file"),
        (write_text, "a pointer of Git LFS"),
        (lambda path: path.write_bytes(path.read_bytes()[:30]), "cannot be read as a wav"),
        (lambda path: path.write_bytes(b""), "cannot be read as a wav"),
        (lambda path: wavfile.write(path, 16_000, np.zeros(0, np.int16)), "holds no sound"),
        (lambda path: wavfile.write(path, 16_000, np.full(99, np.nan, np.float32)), "NaN"),
        (lambda path: path.rename(path.with_name("1001_DFA_RAGE_XX.wav")), "ACTOR_SENTENCE"),
        (lambda path: path.rename(path.with_name("notes.wav")), "such as 1001_DFA_ANG_XX"),
    ],
)
def test_what_is_wrong_with_a_clip_is_one_line_with_its_name(crema_d, spoil, said):
    path = crema_d.path / "AudioWAV" / "1001_DFA_ANG_XX.wav"
    spoil(path)
    with pytest.raises(DataError, match=said) as caught:
        load_dataset(crema_d)
    assert "\n" not in str(caught.value)
    assert str(path.parent) in str(caught.value)


def test_a_clip_in_another_actors_folder_is_named(ravdess):
    path = ravdess.path / "Actor_02" / "03-01-06-01-02-01-01.wav"
    tone(path)
    with pytest.raises(DataError, match="expected a folder Actor_01"):
        load_dataset(ravdess)


def test_a_clip_without_frames_is_named(crema_d):
    names = sorted(path.stem for path in (crema_d.path / "AudioWAV").iterdir())
    frames_for(crema_d, names[1:])
    with pytest.raises(DataError, match=f"no frames for {names[0]}"):
        load_dataset(crema_d)
    frames_for(crema_d, names[:1])
    (crema_d.path / "frames" / names[0] / "001.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"001\.png .*cannot be read as a picture"):
        load_dataset(crema_d)


@pytest.mark.parametrize(
    ("layout", "said"),
    [("crema_d", r"no clips of CREMA-D: AudioWAV/\*\.wav"), ("ravdess", "no clips of RAVDESS")],
)
def test_an_empty_folder_a_missing_one_and_too_few_actors_are_named(tmp_path, layout, said):
    config = DataConfig(name="x", path=tmp_path / "empty", layout=layout)
    with pytest.raises(DataError, match="no such folder"):
        load_dataset(config)
    config.path.mkdir()
    with pytest.raises(DataError, match=said):
        load_dataset(config)
    tone(config.path / "AudioWAV" / "1001_DFA_ANG_XX.wav")
    tone(config.path / "Actor_01" / "03-01-01-01-01-01-01.wav")
    with pytest.raises(DataError, match="clips of 1 actors; expected at least 4"):
        load_dataset(config)
