"""The split model: it learns, it merges where it should, and its frames are answered elsewhere."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from edgestill.codec.learned import FeatureCodec
from edgestill.data.scene_vqa import load_scene_vqa
from edgestill.errors import DataError, FrameError
from edgestill.inference.split import (
    AnswerHead,
    Asked,
    DeviceHalf,
    Merging,
    Plan,
    SceneHead,
    ServerHalf,
    TokenEncoder,
    fit_answers,
    fit_scenes,
    load_halves,
    merged_tokens,
    save_halves,
    train_codec,
)
from edgestill.inference.split.encoder import DIMENSION, TOKENS

_ANSWER = """
import json, sys, torch
import numpy as np
from pathlib import Path
from edgestill.inference.split import load_halves
torch.set_num_threads(2)
folder = Path(sys.argv[1])
_, server = load_halves(folder)
questions = np.load(folder / "questions.npy")
frames = [path.read_bytes() for path in sorted(folder.glob("*.frame"))]
print(json.dumps([server.answers(f, q).tolist() for f, q in zip(frames, questions)]))
"""


class Standardised:
    """A few public pictures."""

    def __init__(self, pixels):
        self.pixels = pixels

    def __len__(self):
        return len(self.pixels)

    def __getitem__(self, rows):
        return torch.from_numpy(self.pixels[rows]).float() / 64 - 2


@pytest.fixture(scope="module")
def few():
    vqa = load_scene_vqa()
    return (
        np.array(vqa.scenes.arrays["visual"][:96]),
        torch.from_numpy(vqa.objects[:96].astype(np.int64)),
        np.array(vqa.questions[:96]),
        torch.from_numpy(vqa.answers[:96].astype(np.int64)),
    )


@pytest.fixture(scope="module")
def halves(few):
    torch.manual_seed(3)
    pixels, objects, questions, answers = few
    encoder, head, merging = TokenEncoder(), AnswerHead(), Merging(count=8)
    fit_scenes(
        encoder, Standardised(pixels), objects, Plan(epochs=2, learning_rate=4e-3, seed=1, batch=32)
    )
    asked = Asked(
        tokens_nND=merged_tokens(encoder, merging, Standardised(pixels)),
        questions_nQ=torch.from_numpy(questions.astype(np.float32)),
        answers_nQ=answers,
    )
    codec = FeatureCodec(DIMENSION, kind="mixture", experts=4, step=0.3)
    plan = Plan(epochs=4, learning_rate=3e-3, seed=1, batch=32)
    fit_answers(head, asked, plan, codec=codec, rate_weight=0.02)
    frozen = codec.freeze()
    device = DeviceHalf(encoder=encoder, merging=merging, codec=frozen, scale=1 / 64, offset=-2)
    return device, ServerHalf(codec=frozen, head=head)


def test_frames_are_answered_alike_in_another_process(halves, few, tmp_path):
    device, server = halves
    pixels, _, questions, _ = few
    save_halves(tmp_path, device, server)
    np.save(tmp_path / "questions.npy", questions[:6])
    frames = [device.frame(image) for image in pixels[:6]]
    for number, frame in enumerate(frames):
        (tmp_path / f"{number}.frame").write_bytes(frame)
    command = [sys.executable, "-c", _ANSWER, str(tmp_path)]
    done = subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - ours
    told = json.loads(done.stdout)
    assert told == [
        server.answers(frame, asked).tolist()
        for frame, asked in zip(frames, questions, strict=False)
    ]


def test_saved_halves_send_the_same_frames(halves, few, tmp_path):
    device, server = halves
    save_halves(tmp_path, device, server)
    again, _ = load_halves(tmp_path)
    assert [again.frame(image) for image in few[0][:4]] == [device.frame(i) for i in few[0][:4]]


def test_a_frame_of_another_codec_is_refused(halves, few):
    device, _ = halves
    stranger = FeatureCodec(DIMENSION, kind="mixture", experts=4).freeze()
    server = ServerHalf(codec=stranger, head=AnswerHead().eval())
    with pytest.raises(FrameError, match="fingerprint"):
        server.answers(device.frame(few[0][0]), few[2][0])


def test_a_folder_without_halves_is_named(tmp_path):
    with pytest.raises(DataError, match=str(tmp_path)):
        load_halves(tmp_path)


def test_a_frame_is_far_smaller_than_the_tokens(halves, few):
    device, _ = halves
    assert len(device.frame(few[0][0])) < 4 * 8 * DIMENSION / 4


def test_a_heavier_rate_gives_shorter_frames(few):
    _, _, questions, answers = few
    torch.manual_seed(0)
    asked = Asked(
        tokens_nND=torch.randn(96, 8, DIMENSION) * 0.3,
        questions_nQ=torch.from_numpy(questions.astype(np.float32)),
        answers_nQ=answers,
    )
    lengths = []
    for weight in (0.0, 20.0):
        torch.manual_seed(0)
        codec = FeatureCodec(DIMENSION, kind="hyperprior", step=0.3)
        plan = Plan(epochs=8, learning_rate=3e-3, seed=1, batch=32)
        fit_answers(AnswerHead(), asked, plan, codec=codec, rate_weight=weight)
        codec.freeze()
        lengths.append(len(codec.encode(asked.tokens_nND[0])))
    assert lengths[1] < lengths[0] - 20


@pytest.mark.parametrize(("weight", "step"), [(0.005, 0.15), (0.02, 0.3), (0.8, 0.3)])
def test_a_codec_for_a_light_rate_begins_with_a_finer_step(few, weight, step):
    asked = Asked(
        tokens_nND=torch.randn(96, 8, DIMENSION, generator=torch.Generator().manual_seed(0)),
        questions_nQ=torch.from_numpy(few[2].astype(np.float32)),
        answers_nQ=few[3],
    )
    codec, _ = train_codec(
        AnswerHead(), asked, experts=1, rate_weight=weight, epochs=1 / 96, seed=1
    )
    assert codec.log_gains.exp().mean().item() == pytest.approx(1 / step, rel=0.02)


def test_training_is_repeatable(few):
    pixels, objects, _, _ = few
    found = []
    for _ in range(2):
        torch.manual_seed(5)
        encoder = TokenEncoder()
        plan = Plan(epochs=0.5, learning_rate=1e-3, seed=2, batch=16)
        fit_scenes(encoder, Standardised(pixels), objects, plan)
        found.append(merged_tokens(encoder, Merging(count=8), Standardised(pixels[:4])))
    assert torch.equal(found[0], found[1])


def test_questions_do_not_see_each_other():
    torch.manual_seed(0)
    head = AnswerHead().eval()
    tokens, questions = torch.randn(2, 8, DIMENSION), torch.randn(2, 5, 11)
    together = head(tokens, questions)
    alone = torch.cat([head(tokens, questions[:, q : q + 1]) for q in range(5)], dim=1)
    torch.testing.assert_close(together, alone)


def test_the_scene_loss_is_least_for_the_object_where_it_is():
    """Tokens that say cell, shape and place of one object cost less than those that miss it."""
    head = SceneHead()
    with torch.no_grad():
        head.read.weight.zero_()
        head.read.bias.zero_()
        head.read.weight[0::5, 0] = 10.0
    objects = torch.tensor([[[0, 12, 20]] * 6])
    losses = []
    for cell in ((12 // 8) * 12 + 20 // 8, 0):
        tokens = torch.zeros(1, TOKENS, DIMENSION)
        tokens[0, cell, 0] = 0.3
        losses.append(head.loss(tokens, objects).item())
    assert losses[0] < losses[1] - 5
