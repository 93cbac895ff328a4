"""Models that lanes cannot take are found, with a reason in one line."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from lane_members import CLASSES, FAMILY, SHAPES, Convolutional, family_of, member
from torch import nn

from edgestill.models import Output, student
from edgestill.training import lane, lane_refusal


class Changed(nn.Module):
    """A linear classifier, and something between."""

    def __init__(self, between):
        super().__init__()
        self.between = between
        self.classifier = nn.Linear(36, 3)

    def forward(self, inputs):
        x = self.between(inputs["visual"].flatten(1))
        return Output(logits=self.classifier(x), embeddings={}, fused=x, gates={})


class Branching(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


class Mixing(nn.Module):
    def forward(self, x):
        return x - x.mean(dim=0)


def refusal(between):
    family = family_of(lambda modalities, classes, width=1.0: Changed(between))
    return lane_refusal(family.module(1.0), member(1, 5, family=family))


def test_our_student_and_a_model_with_dropout_are_taken():
    assert lane_refusal(FAMILY.module(1.0), member(1, 5, public=4)) is None
    family = family_of(Convolutional)
    assert lane_refusal(family.module(1.0), member(1, 5, family=family)) is None


@pytest.mark.parametrize(
    "between", [nn.BatchNorm1d(36), nn.BatchNorm1d(36, track_running_stats=False)]
)
def test_batch_normalisation_is_seen_without_a_trial(between):
    reason = lane_refusal(Changed(between))
    assert reason == (
        "between (BatchNorm1d) mixes the samples of a batch; group normalisation would not"
    )


def test_recurrent_layers_are_seen_without_a_trial():
    assert lane_refusal(nn.Sequential(nn.GRU(3, 4))) == "0 (GRU) cannot be vectorized over devices"


def test_a_branch_on_data_is_found_by_the_trial():
    assert refusal(Branching()).startswith("torch.func.vmap fails: ")


def test_samples_that_see_each_other_are_found_by_the_trial():
    assert "from the reference after two steps" in refusal(Mixing())


def test_weighted_knowledge_is_tried_apart_from_knowledge_whose_samples_count_alike(monkeypatch):
    tried, trainer = [], lane.train_lane

    def refusing_weights(module, members, *rest):
        tried.append([one.knowledge.relevance for one in members])
        if members[0].knowledge.relevance is not None:
            raise NotImplementedError("no weights here")
        return trainer(module, members, *rest)

    monkeypatch.setattr(lane, "train_lane", refusing_weights)
    # A module of its own: what is found is remembered by module.
    module, plain = student(SHAPES, CLASSES), member(1, 5, public=4)
    weights = np.array([0.5, 2.0, 0.0, 1.5], np.float32)
    weighted = replace(plain, knowledge=replace(plain.knowledge, relevance=weights))
    assert lane_refusal(module, plain) is None
    assert lane_refusal(module, weighted) == "torch.func.vmap fails: no weights here"
    np.testing.assert_array_equal(tried[-1][0], weights[:3])


def test_our_student_is_taken_with_weighted_knowledge():
    plain = member(1, 5, public=2)
    weights = np.array([0.5, 1.5], np.float32)
    weighted = replace(plain, knowledge=replace(plain.knowledge, relevance=weights))
    assert lane_refusal(FAMILY.module(1.0), weighted) is None


def test_the_trial_leaves_the_random_stream_alone():
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    refusal(nn.Identity())
    assert torch.equal(torch.random.get_rng_state(), before)
