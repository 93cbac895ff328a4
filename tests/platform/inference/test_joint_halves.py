"""The two halves of a joint model: what a device sends the cloud answers, and nothing else."""

import io
import json
import struct
from dataclasses import replace

import numpy as np
import pytest
import torch
from joint_models import family, model, pictures
from PIL import Image

from edgestill.codec import encode_arrays
from edgestill.codec.frame import fingerprint_of
from edgestill.errors import DataError, FrameError, InputError
from edgestill.inference.joint import (
    Input,
    family_of,
    input_frame,
    jpeg_of,
    load_cloud,
    load_edge,
    owned,
    picture_of,
    save_joint,
)
from edgestill.inference.joint.inputs import input_of_frame


@pytest.fixture(scope="module")
def trained():
    return model()


@pytest.fixture(scope="module")
def folder(trained, tmp_path_factory):
    found = tmp_path_factory.mktemp("joint")
    save_joint(found, trained, {"name": "small"})
    return found


@pytest.fixture(scope="module")
def frames(trained):
    """A picture's frame at each rate."""
    half = trained.device_half()
    looked = half.look({"visual": pictures()[0]}).features
    return [half.encode(looked, rate) for rate in range(3)]


def test_halves_read_from_a_folder_answer_as_those_written(trained, folder):
    edge, cloud, fog = load_edge(folder), load_cloud(folder), load_cloud(folder, "fog")
    for picture in pictures():
        own, other = (half.look({"visual": picture}) for half in (edge.half, trained.device_half()))
        assert own.answer == other.answer
        for rate in range(3):
            frame = edge.half.encode(own.features, rate)
            assert frame == trained.device_half().encode(other.features, rate)
            for tier, half in (("cloud", cloud), ("fog", fog)):
                written = trained.served_half(tier)
                assert half.answer([half.read(frame)]) == written.answer([written.read(frame)])
                assert half.answer([half.read(frame)])[0].by == tier


def test_a_folder_says_what_a_device_needs(folder):
    edge = load_edge(folder)
    assert (edge.threshold, edge.description["name"]) == (0.3, "small")
    assert edge.half.bytes_by_rate == (100, 200, 500)
    assert edge.half.input_rate == 2
    assert edge.half.task.temperature == 1.5
    assert family_of(edge.description["family"]) == family()


def test_a_tail_that_nobody_trained_is_not_written_twice(folder):
    twice = 2 * sum(p.numel() for p in family().cloud().parameters()) * 4
    assert (folder / "cloud.safetensors").stat().st_size < twice


def test_a_batch_of_all_rates_is_answered_as_each_alone(trained):
    edge, cloud = trained.device_half(), trained.served_half("cloud")
    looks = [edge.look({"visual": picture}).features for picture in pictures(6)]
    contents = [cloud.read(edge.encode(look, n % 3)) for n, look in enumerate(looks)]
    together = cloud.answer(contents)
    alone = [cloud.answer([content])[0] for content in contents]
    assert [one.label for one in together] == [one.label for one in alone]
    assert np.allclose([one.confidence for one in together], [one.confidence for one in alone])


def test_the_last_rate_is_the_picture_as_jpeg(trained, frames):
    content = trained.served_half("cloud").read(frames[2])
    assert content.tokens_ND is None
    error = content.inputs["visual"].astype(int) - pictures()[0].astype(int)
    assert 0 < np.abs(error).mean() < 12


def test_other_inputs_travel_as_they_are():
    specs = {
        "audio": Input(shape=(1, 4, 6), dtype="|u1", scale=1.0, offset=0.0),
        "sensor": Input(shape=(6, 8), dtype="|i1", scale=1.0, offset=0.0),
        "visual": Input(shape=(1, 8, 8), dtype="|u1", scale=1.0, offset=0.0),
    }
    rng = np.random.default_rng(0)
    audio = rng.integers(0, 255, (1, 4, 6)).astype(np.uint8)
    sent = {
        "sensor": rng.integers(-9, 9, (6, 8)).astype(np.int8),
        "audio": audio,
        "visual": np.full((1, 8, 8), 7, np.uint8),
    }
    read = input_of_frame(specs, input_frame(specs, sent, 5), 5)
    assert list(read) == list(specs)
    assert np.array_equal(read["sensor"], sent["sensor"])
    assert read["visual"].shape == (1, 8, 8)


def test_a_frame_of_other_weights_is_refused_though_the_codec_is_the_same(trained, frames):
    other = model()
    with torch.no_grad():
        next(other.edge.parameters()).add_(1e-3)
    codec = owned(trained.codec, other.edge, other.family)
    assert codec.fingerprint != trained.codec.fingerprint
    for frame in frames:
        assert fingerprint_of(frame) == trained.codec.fingerprint
    cloud = replace(trained.served_half("cloud"), codec=codec)
    for frame in frames:
        with pytest.raises(FrameError, match="fingerprint"):
            cloud.read(frame)


def test_what_is_not_a_frame_is_refused_and_nothing_else_is_raised(trained, frames):
    cloud, rng = trained.served_half("cloud"), np.random.default_rng(1)
    bad = [b"", b"ESTL", *(rng.bytes(int(size)) for size in rng.integers(1, 400, 200))]
    bad += [frame[: int(cut)] for frame in frames for cut in rng.integers(0, len(frame), 30)]
    for frame in frames:
        for place in rng.integers(0, len(frame), 100):
            damaged = bytearray(frame)
            damaged[place] ^= 1 << int(rng.integers(8))
            bad.append(bytes(damaged))
    for frame in bad:
        with pytest.raises(FrameError):
            cloud.read(frame)


def test_a_jpeg_that_is_damaged_behind_a_right_checksum_raises_one_error(trained):
    cloud, rng = trained.served_half("cloud"), np.random.default_rng(2)
    mark = trained.codec.fingerprint
    jpeg = jpeg_of(pictures()[0])
    refused = 0
    for _ in range(300):
        damaged = jpeg.copy()
        damaged[rng.integers(0, len(jpeg), 3)] = rng.integers(0, 256, 3)
        frame = encode_arrays({"visual": damaged}, bits=16, fingerprint=mark)
        try:
            assert cloud.read(frame).inputs["visual"].shape == (3, 16, 16)
        except FrameError:
            refused += 1
    assert refused > 20


@pytest.mark.parametrize(
    "arrays",
    [
        {"visual": np.zeros((3, 16, 16), np.uint8)},
        {"visual": np.zeros(40, np.int8)},
        {"audio": np.zeros(40, np.uint8)},
        {"visual": np.zeros(10, np.uint8), "more": np.zeros(1, np.uint8)},
        {"visual": np.zeros(1 << 20, np.uint8)},
        {},
    ],
)
def test_arrays_that_are_no_input_are_refused(trained, arrays):
    frame = encode_arrays(arrays, bits=16, fingerprint=trained.codec.fingerprint)
    with pytest.raises(FrameError):
        trained.served_half("cloud").read(frame)


def test_a_picture_of_another_size_is_refused_before_it_is_decoded(monkeypatch):
    file = io.BytesIO()
    Image.new("RGB", (16, 16)).save(file, "JPEG")
    jpeg = bytearray(file.getvalue())
    place = jpeg.index(b"\xff\xc0") + 5
    jpeg[place : place + 4] = struct.pack(">HH", 60_000, 60_000)
    monkeypatch.setattr(Image.Image, "load", None)
    with pytest.raises(FrameError):
        picture_of(bytes(jpeg), (3, 16, 16))
    with pytest.raises(FrameError, match=r"\[3, 16, 16\]; expected \[3, 8, 8\]"):
        picture_of(file.getvalue(), (3, 8, 8))


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP"])
def test_a_picture_of_another_kind_is_refused(kind):
    file = io.BytesIO()
    Image.new("RGB", (16, 16)).save(file, kind)
    with pytest.raises(FrameError):
        picture_of(file.getvalue(), (3, 16, 16))


def test_a_grey_jpeg_is_no_coloured_picture():
    file = io.BytesIO()
    Image.new("L", (16, 16)).save(file, "JPEG")
    with pytest.raises(FrameError, match=r"\[1, 16, 16\]; expected \[3, 16, 16\]"):
        picture_of(file.getvalue(), (3, 16, 16))


@pytest.mark.parametrize(
    ("inputs", "line"),
    [
        ({}, "kinds none; expected visual"),
        ({"audio": np.zeros((3, 16, 16), np.uint8)}, "kinds audio"),
        ({"visual": np.zeros((3, 16, 15), np.uint8)}, r"\[3, 16, 15\]; expected uint8 \[3, 16, 16"),
        ({"visual": np.zeros((3, 16, 16), np.float32)}, "float32"),
    ],
)
def test_a_wrong_input_is_one_line(trained, inputs, line):
    with pytest.raises(InputError, match=line):
        trained.device_half().look(inputs)


def test_a_rate_that_there_is_not_is_refused(trained):
    half = trained.device_half()
    with pytest.raises(ValueError, match="rate is 3"):
        half.encode(half.look({"visual": pictures()[0]}).features, 3)


def test_folders_that_are_no_model_are_named(folder, tmp_path, trained):
    with pytest.raises(InputError, match=r"no joint\.json there"):
        load_edge(tmp_path)
    save_joint(tmp_path / "two", model(tiers=("cloud",)), {})
    with pytest.raises(InputError, match="has no fog; it has cloud"):
        load_cloud(tmp_path / "two", "fog")
    other = tmp_path / "joint"
    save_joint(other, model(seed=1), {})
    assert load_edge(tmp_path).half.fingerprint != trained.codec.fingerprint
    (other / "edge.safetensors").write_bytes((folder / "edge.safetensors").read_bytes())
    with pytest.raises(DataError, match="of different models"):
        load_edge(other)
    (other / "codec.safetensors").write_bytes((folder / "codec.safetensors").read_bytes())
    with pytest.raises(DataError, match=r"is not that of joint\.json"):
        load_edge(other)
    (other / "joint.json").write_text(json.dumps({"schema": "edgestill.split/1"}))
    with pytest.raises(DataError, match=r"expected 'edgestill\.joint/1'"):
        load_cloud(other)
    wrong = json.loads((folder / "joint.json").read_text())
    wrong["family"]["picture"]["shape"] = [3, 16]
    for text in ("[]", "{", json.dumps(wrong), json.dumps({**wrong, "token_shape": [1]})):
        (other / "joint.json").write_text(text)
        with pytest.raises(DataError, match=r"family|describes no joint model"):
            load_edge(other)
    (other / "joint.json").write_text("[]")
    with pytest.raises(DataError, match="describes no joint model"):
        load_cloud(other)


def test_damaged_weights_are_named(folder, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "cloud.safetensors").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"cloud\.safetensors: holds no such network"):
        load_cloud(tmp_path)
    (tmp_path / "fog.safetensors").write_bytes((folder / "edge.safetensors").read_bytes())
    with pytest.raises(DataError, match=r"fog\.safetensors: holds no such network"):
        load_cloud(tmp_path, "fog")
