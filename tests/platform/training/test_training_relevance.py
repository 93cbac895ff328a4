"""What a public sample counts: nothing at 0, twice as much at 2, alike in both trainers."""

from dataclasses import replace

import numpy as np
import pytest
from lane_members import FAMILY, alone, assert_agree, config, member, same_bits, together

from edgestill.knowledge import Coefficients
from edgestill.training import SamplePrivacy, lane_key

DISTILLED = Coefficients(task=0.0, distill=1.0, align=0.0, resource=0.0)


def counting(one, relevance):
    weights = np.asarray(relevance, np.float32)
    return replace(one, knowledge=replace(one.knowledge, relevance=weights))


def spread(one, seed=0):
    return counting(one, np.random.default_rng(seed).uniform(0, 2, len(one.knowledge)))


@pytest.mark.parametrize(
    "work", [{}, {"sample_privacy": SamplePrivacy(clip_norm=0.7, noise_multiplier=0.4)}], ids=str
)
def test_lanes_agree_with_the_reference(work):
    members = [spread(member(s, 5 + s, public=9, **work), s) for s in range(4)]
    for one, trained in zip(members, together(members, config()), strict=True):
        assert_agree(trained, alone(one, config()))


def test_all_ones_are_the_same_as_none():
    plain = member(0, public=9)
    ones = counting(plain, np.ones(9))
    assert lane_key(ones, config()) != lane_key(plain, config())
    assert_agree(alone(ones, config()), alone(plain, config()), tolerance=1e-7)
    assert same_bits(*together([ones, ones], config()))


def test_a_sample_that_counts_nothing_is_not_learned_from():
    one = member(0, public=8, coefficients=DISTILLED)
    weights = np.array([2.0, 0.0] * 4)
    wrong = {kind: table.copy() for kind, table in one.knowledge.embeddings.items()}
    for table in wrong.values():
        table[1::2] = 7.0
    logits = one.knowledge.logits.copy()
    logits[1::2] = -9.0
    other = replace(one, knowledge=replace(one.knowledge, embeddings=wrong, logits=logits))
    same = alone(counting(one, weights), config()), alone(counting(other, weights), config())
    assert_agree(*same, tolerance=1e-7)
    assert not same_bits(alone(one, config()), alone(other, config()))


def test_the_loss_is_the_weighted_mean():
    one = member(0, 2, public=6, epochs=1, coefficients=DISTILLED)
    alike = config(learning_rate=1e-9)
    terms = []
    for place in range(6):
        weights = np.zeros(6)
        weights[place] = 6.0
        terms.append(alone(counting(one, weights), alike, family=FAMILY).terms["distill"])
    plain = alone(one, alike).terms["distill"]
    assert np.mean(terms) == pytest.approx(plain, rel=1e-4)
