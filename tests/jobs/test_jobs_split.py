"""`edgestill split`: halves for each rate that work in another process, mistakes in one line."""

import json

import numpy as np
import pytest

from edgestill.config import SplitConfig, load_as
from edgestill.errors import ConfigurationError
from edgestill.inference.split import load_halves, merged_tokens
from edgestill.inference.split.scenes import part
from edgestill.jobs import cli, split_job

TINY = """
name: tiny
scenes: 64
scene_epochs: 1
answer_epochs: 1
joint_epochs: 0
codec_epochs: 1
codec: {tokens: 4, experts: 2, rate_weights: [0.01, 1.0]}
"""


@pytest.fixture
def split(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(split_job, "TESTED_SCENES", 20)
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)

    def run(*arguments):
        given = ["split", str(path), "--out", str(tmp_path / "out"), *arguments]
        code = cli._guarded(lambda: cli.app(given, standalone_mode=False))
        return code, tmp_path / "out", *capsys.readouterr()

    return run


def test_each_rate_has_halves_that_answer_from_its_frames(split):
    code, out, printed, _ = split()
    assert code == 0
    assert "rate-1" in printed
    report = json.loads((out / "split.json").read_text())
    assert [rate["rate_weight"] for rate in report["rates"]] == [0.01, 1.0]
    device, server = load_halves(out / "rate-0")
    test = part("test", 20)
    frame = device.frame(test.pictures.pixels[0])
    answers = server.answers(frame, test.questions[0].byte().numpy())
    assert answers.shape == test.answers[0].shape
    assert len(frame) == pytest.approx(report["rates"][0]["bytes"], rel=0.5)
    assert np.isin(answers, np.arange(10)).all()


def test_the_public_scenes_are_merged_once_for_all_rates(split, monkeypatch):
    merged = []

    def counted(encoder, merging, images):
        merged.append(len(images))
        return merged_tokens(encoder, merging, images)

    monkeypatch.setattr(split_job, "merged_tokens", counted)
    assert split()[0] == 0
    assert sorted(merged) == [20, 64]


def test_a_folder_that_is_not_empty_is_refused_and_kept(split, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("x")
    code, out, _, error = split()
    assert (code, "not empty" in error, error.count("\n")) == (2, True, 1)
    assert [path.name for path in out.iterdir()] == ["mine"]


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("codec.merging=mean", "codec.merging"),
        ("codec.tokens=145", "codec.tokens"),
        ("codec.rate_weights=[]", "codec.rate_weights"),
        ("data=av_digits", "data: input should be 'scene_vqa'"),
        ("federation.rounds=3", "unknown key; known here: name, seed"),
    ],
)
def test_a_wrong_key_is_one_line(split, override, line):
    code, _, _, error = split("--set", override)
    assert code == 2
    assert line in error
    assert error.count("\n") == 1


def test_the_configuration_of_the_repository_is_right(pytestconfig):
    config = load_as(SplitConfig, pytestconfig.rootpath / "jobs/configs/tofc.yaml")
    assert config.codec.experts == 16


def test_a_runs_configuration_is_none_of_a_split(pytestconfig):
    with pytest.raises(ConfigurationError, match="unknown key"):
        load_as(SplitConfig, pytestconfig.rootpath / "jobs/configs/demo.yaml")
