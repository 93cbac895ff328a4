"""The networks of joint inference: tokens are places, and each part fits the next."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from joint_models import PICTURE, family

from edgestill.errors import ConfigurationError
from edgestill.inference.joint import Input, PictureFamily
from edgestill.inference.joint.fleet import FleetFamily
from edgestill.inference.joint.pictures import patches, unpatched

KINDS = {"visual": (1, 8, 8), "audio": (1, 24, 32), "sensor": (6, 48)}


def fleet(**changes):
    inputs = {
        kind: Input(shape=shape, dtype="|u1", scale=0.01, offset=-1.0)
        for kind, shape in KINDS.items()
        if kind != "audio"
    }
    values = {
        "modalities": inputs,
        "every_shape": KINDS,
        "shares": {"visual": 0.5, "sensor": 1.0},
        "width": 0.5,
        "classes": 3,
        "student": "edgestill.models:student",
        "teacher": "edgestill.models:teacher",
    }
    return FleetFamily(**{**values, **changes})


def test_tokens_go_back_to_their_places():
    maps = torch.arange(2 * 3 * 4 * 6, dtype=torch.float32).reshape(2, 3, 4, 6)
    tokens = patches(maps, 2)
    assert tokens.shape == (2, 6, 12)
    assert torch.equal(tokens[0, 0].reshape(3, 2, 2), maps[0, :, :2, :2])
    assert torch.equal(unpatched(tokens, (2, 3), 2), maps)


def test_the_sizes_of_photo_digits_are_those_that_are_told():
    picture = Input(shape=(3, 32, 32), dtype="|u1", scale=1.0, offset=0.0)
    made = PictureFamily(picture=picture, classes=10)
    counts = [
        sum(p.numel() for p in network.parameters())
        for network in (made.edge(), made.fog(), made.cloud())
    ]
    assert 16_000 < counts[0] < 24_000
    assert 4 * counts[0] < counts[1] < counts[2] / 3
    assert 300_000 < counts[2] < 360_000
    assert made.edge().token_shape == (16, 64)


@pytest.mark.parametrize("made", [family(), fleet()], ids=["pictures", "fleet"])
def test_an_adapter_gives_what_the_cloud_answers_from(made):
    rng = np.random.default_rng(0)
    inputs = {
        kind: torch.from_numpy(rng.normal(size=(2, *spec.shape)).astype(np.float32))
        for kind, spec in made.inputs.items()
    }
    edge, cloud = made.edge().eval(), made.cloud().eval()
    tokens = edge.tokens(inputs)
    assert tuple(tokens.shape[1:]) == edge.token_shape
    assert edge.answer(tokens).shape == (2, made.classes)
    features = cloud.features(inputs)
    adapted = cloud.adapter(edge.token_shape).eval()(tokens)
    assert adapted.shape == features.shape
    assert cloud.answer(adapted).shape == (2, made.classes)
    assert type(made).of(made.plain()) == made


def test_a_student_answers_from_its_tokens_as_it_does_by_itself():
    made = fleet()
    edge = made.edge().eval()
    inputs = {kind: torch.randn(2, *spec.shape) for kind, spec in made.inputs.items()}
    with torch.no_grad():
        logits = edge.answer(edge.tokens(inputs))
        pooled = {
            "visual": torch.nn.functional.avg_pool2d(inputs["visual"], 2),
            "sensor": inputs["sensor"],
        }
        assert torch.allclose(logits, edge.student(pooled).logits, atol=1e-6)


def test_a_model_that_is_of_no_late_fusion_is_refused_in_one_line():
    with pytest.raises(ConfigurationError, match=r"student\.factory: torch\.nn:Identity gives"):
        fleet(student="torch.nn:Identity").edge()
    with pytest.raises(ConfigurationError, match=r"teacher\.factory"):
        fleet(teacher="nowhere:nothing").cloud()
    with pytest.raises(ConfigurationError, match="fog"):
        fleet().fog()


def test_pictures_of_a_size_that_does_not_divide_are_refused():
    odd = replace(PICTURE, shape=(3, 20, 20))
    with pytest.raises(ConfigurationError, match="20 x 20"):
        PictureFamily(picture=odd, classes=2).edge()
