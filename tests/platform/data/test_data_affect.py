"""The bundled affect: what it holds, and why whose knowledge one gets makes a difference."""

import shutil

import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier

from edgestill.config import DataConfig, EvaluationConfig, PartitionConfig
from edgestill.data import bundled, hold_out, load_dataset, partition
from edgestill.data.affect import body, face, roster, style, voice
from edgestill.data.affect.shapes import Canvas
from edgestill.data.building import find_program, version

PEOPLE = list(roster.users())
SAMPLES = 48
SOME = [0, 3_000, 6_600]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        return load_dataset(DataConfig(name="affect"))


def groups_of(users):
    return np.array([person.group for person in PEOPLE])[users]


def test_it_is_small_synthetic_and_split_by_user(dataset):
    assert bundled.artefact_of("affect").stat().st_size <= 6_000_000
    shapes = {kind: rows.shape[1:] for kind, rows in dataset.arrays.items()}
    assert shapes == {"visual": (1, 24, 24), "audio": (1, 24, 32), "sensor": (4, 48)}
    assert all(modality.synthetic for modality in dataset.modalities.values())
    for text in (dataset.provenance[kind]["source"] for kind in dataset.kinds):
        assert text.startswith("SYNTHETIC")
    assert len(PEOPLE) == len(np.unique(dataset.users)) >= 60
    for person in PEOPLE:
        own = np.flatnonzero(dataset.users == person.index)
        assert len(own) == SAMPLES
        assert np.isin(own, dataset.splits[person.split]).all()


def test_every_group_is_in_every_split_and_no_voice_is_in_two(dataset):
    for rows in dataset.splits.values():
        counts = np.bincount(groups_of(dataset.users[rows]), minlength=roster.GROUPS)
        assert (counts == len(rows) / roster.GROUPS).all()
    assert len({person.voice for person in PEOPLE}) == len(PEOPLE)
    timbres = [name for names in roster.VARIANTS.values() for name in names]
    assert len(set(timbres)) == len(timbres)


def test_what_each_private_user_holds_out_has_every_emotion_twice(dataset):
    private = dataset.splits["private"]
    labels, users = dataset.labels[private], dataset.users[private]
    owned = partition(PartitionConfig(kind="user"), labels=labels, users=users, devices=48, seed=0)
    share = EvaluationConfig(held_out_share=0.25).held_out_share
    train, held = hold_out(owned, share, users=users, seed=0)
    for device in range(48):
        assert np.bincount(labels[train[device]]).tolist() == [6] * 6
        assert np.bincount(labels[held[device]]).tolist() == [2] * 6


def test_inputs_are_standardised_on_the_public_part(dataset):
    for values in dataset.inputs(dataset.splits["public"]).values():
        assert abs(values.mean()) < 1e-3
        assert abs(values.std() - 1) < 1e-3


def test_users_of_a_group_express_emotions_alike_but_not_the_same():
    def distance(one, other):
        return np.mean(
            [
                np.linalg.norm(style.style_of(one).expressions[kind] - table)
                for kind, table in style.style_of(other).expressions.items()
            ]
        )

    first, beside, apart = PEOPLE[0], PEOPLE[6], PEOPLE[1]
    assert first.group == beside.group != apart.group
    assert 0 < 2 * distance(first, beside) < distance(first, apart)


def test_what_one_learns_of_a_group_holds_for_its_other_members_only(dataset):
    """A linear classifier of one group's public users, on private users of that group and others.

    Without that, whose knowledge a device gets would make no difference.
    """
    public, private = dataset.splits["public"], dataset.splits["private"]

    def rows_of(rows, group):
        return rows[groups_of(dataset.users[rows]) == group]

    def features(rows):
        inputs = dataset.inputs(rows)
        inputs["audio"] = inputs["audio"].mean(axis=3)
        return np.concatenate([part.reshape(len(rows), -1) for part in inputs.values()], axis=1)

    own, other = [], []
    for group in range(roster.GROUPS):
        learned = rows_of(public, group)
        model = RidgeClassifier(alpha=1e3).fit(features(learned), dataset.labels[learned])
        for theirs in range(roster.GROUPS):
            tested = rows_of(private, theirs)
            score = model.score(features(tested), dataset.labels[tested])
            (own if theirs == group else other).append(score)
    assert min(own) > max(other)
    assert np.mean(own) > np.mean(other) + 0.2


@pytest.mark.parametrize("sample", SOME)
def test_the_script_still_makes_the_committed_faces_and_signals(dataset, sample):
    person, emotion = PEOPLE[dataset.users[sample]], int(dataset.labels[sample])
    assert roster.emotions_of(person)[sample % SAMPLES] == emotion
    moment = style.moment_of(style.style_of(person), emotion, sample)
    picture = face.picture(face.looks_of(person), moment["visual"], sample)
    # A pixel at the edge of two grey levels may fall to either.
    differing = picture.astype(int) != dataset.arrays["visual"][sample]
    assert differing.mean() < 0.01
    signals = body.signals(body.rest_of(person), moment["sensor"], sample)
    assert np.abs(signals.astype(int) - dataset.arrays["sensor"][sample]).max() <= 1


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
@pytest.mark.parametrize("sample", SOME)
def test_the_script_still_makes_the_committed_speech(dataset, sample):
    program = find_program()
    built_with = dataset.provenance["built_with"]["espeak-ng"]
    if version(program) != built_with:
        pytest.skip(f"the artefact was spoken by espeak-ng {built_with}")
    person = PEOPLE[dataset.users[sample]]
    moment = style.moment_of(style.style_of(person), int(dataset.labels[sample]), sample)
    again = voice.spectrogram(program, person, moment["audio"], sample)
    assert (again.astype(int) != dataset.arrays["audio"][sample]).mean() < 0.01


def test_a_raised_brow_and_an_open_mouth_change_the_face_there_only(monkeypatch):
    monkeypatch.setattr(face, "NOISE_STDDEV", 0.0)
    looks = face.looks_of(PEOPLE[0])
    rest = np.zeros(7)

    def changed(parameter, value):
        moved = rest.copy()
        moved[style.PARAMETERS["visual"].index(parameter)] = value
        before, after = (face.picture(looks, one, 5)[0].astype(int) for one in (rest, moved))
        return np.flatnonzero(np.abs(after - before).max(axis=1) > 16)

    half = face.SIZE / 2
    assert changed("outer_brow", 1.5).max() < half
    assert changed("mouth_opening", 1.5).min() >= half
    assert changed("mouth_curve", 1.0).min() >= half


def test_a_faster_heart_and_quicker_breath_show_in_the_signals(monkeypatch):
    monkeypatch.setattr(body, "NOISE_STDDEV", np.zeros(4))
    rest = body.rest_of(PEOPLE[0])

    def signals(**parameters):
        moment = np.array([parameters.get(name, 0.0) for name in style.PARAMETERS["sensor"]])
        codes = body.signals(rest, moment, 7) / 127
        return codes * body.FULL_SCALE[:, None] + body.CENTRE[:, None]

    calm, excited = signals(), signals(heart_rate=1.0, breath_rate=2.0)
    assert excited[0].mean() - calm[0].mean() == pytest.approx(13, abs=1.5)
    turns = [np.abs(np.diff(np.sign(one[2]))).sum() for one in (calm, excited)]
    assert turns[1] > turns[0]


def test_a_shape_covers_what_it_should():
    canvas = Canvas(200, 0.0, shift=(0, 0), turn_rad=0, zoom=1)
    canvas.ellipse((0, 0), (0.5, 0.25), 1.0)
    assert canvas.grey.sum() / 200**2 * 4 == pytest.approx(np.pi * 0.5 * 0.25, rel=0.01)
    canvas.box(-1, -1, 0, 1, 0.5)
    assert canvas.grey[:, :99] == pytest.approx(0.5)
    turned = Canvas(200, 0.0, shift=(0, 0), turn_rad=np.pi / 2, zoom=1)
    turned.segment((-0.5, 0), (0.5, 0), 0.05, 1.0)
    rows, columns = np.nonzero(turned.grey > 0.5)
    assert np.ptp(rows) > 4 * np.ptp(columns)
