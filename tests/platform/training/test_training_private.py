"""Private training: what one sample can change is bounded, and noise covers it."""

from dataclasses import replace

import numpy as np
import pytest
from lane_members import WEIGHTS, alone, config, member

from edgestill.knowledge import Coefficients
from edgestill.training import SamplePrivacy, Samples
from edgestill.training.private import gradient_noise
from edgestill.training.schedule import expected_batch, schedule

TASK_ONLY = Coefficients(task=1.0, distill=0.0, align=0.0, resource=0.0)
PLAIN = {"momentum": 0.0, "gradient_clip_norm": 1e9, "learning_rate": 1.0, "batch_size": 100}


def private(clip_norm, noise_multiplier):
    return SamplePrivacy(clip_norm=clip_norm, noise_multiplier=noise_multiplier)


def change(one, training):
    trained = alone(one, training).arrays
    return np.concatenate([(trained[k] - one.arrays[k]).ravel() for k in sorted(trained)])


def test_without_clipping_and_noise_it_is_the_plain_step():
    work = {"coefficients": TASK_ONLY, "epochs": 1, "level": "low"}
    plain = change(member(1, 6, **work), config(**PLAIN))
    loose = change(member(1, 6, sample_privacy=private(1e6, 1e-12), **work), config(**PLAIN))
    np.testing.assert_allclose(loose, plain, atol=1e-5)


def test_one_sample_moves_a_step_by_no_more_than_the_clipped_norm():
    clip = 0.3
    work = {"coefficients": TASK_ONLY, "epochs": 1, "level": "low"}
    one = member(1, 6, sample_privacy=private(clip, 0.5), **work)
    inputs = {kind: values.clone() for kind, values in one.samples.inputs.items()}
    inputs["visual"][2] = 40.0
    labels = one.samples.labels.clone()
    labels[2] = (labels[2] + 1) % 3
    other = replace(one, samples=Samples(inputs=inputs, labels=labels))
    moved = np.linalg.norm(change(one, config(**PLAIN)) - change(other, config(**PLAIN)))
    # Replaced, a sample takes its clipped gradient away and puts another one in.
    assert 0.01 < moved <= 2 * clip / 6 * (1 + 1e-4)


def test_the_noise_has_the_stated_deviation_and_follows_seed_and_step():
    work = member(1, 6, sample_privacy=private(0.5, 2.0)).work
    noise = gradient_noise(work, 0)
    assert {name: array.shape for name, array in noise.items()} == dict(work.variant.shapes)
    values = np.concatenate([array.ravel() for array in noise.values()])
    assert values.std() == pytest.approx(1.0, rel=0.03)
    again, later = gradient_noise(work, 0), gradient_noise(work, 1)
    name = max(noise, key=lambda key: noise[key].size)
    assert np.array_equal(noise[name], again[name])
    assert not np.array_equal(noise[name], later[name])
    with pytest.raises(ValueError, match="no sample_privacy"):
        gradient_noise(member(1, 6).work, 0)


def test_public_samples_teach_and_own_losses_are_not_told():
    one = member(1, 6, public=8, sample_privacy=private(1e-6, 1e-6), epochs=1)
    assert np.abs(change(one, config(**PLAIN))).max() > 1e-3
    shuffled = replace(one.samples, labels=one.samples.labels.flip(0))
    other = replace(one, samples=shuffled)
    assert alone(one, config()).terms == pytest.approx(alone(other, config()).terms, abs=1e-4)
    assert alone(member(1, 6, sample_privacy=private(1.0, 1.0)), config()).terms["task"] == 0.0


def test_each_sample_is_drawn_with_the_stated_probability():
    work = member(1, 12, sample_privacy=private(1.0, 1.0), epochs=400, coefficients=WEIGHTS).work
    dealt = schedule(12, 5, work, 4)
    assert dealt.steps == 1200
    counts = np.bincount(np.concatenate(dealt.own), minlength=12)
    np.testing.assert_allclose(counts / 1200, 1 / 3, atol=0.06)
    sizes = np.array([len(rows) for rows in dealt.own])
    assert sizes.mean() == pytest.approx(expected_batch(12, 4), rel=0.05)
    assert sizes.std() == pytest.approx(np.sqrt(12 * 2 / 9), rel=0.1)
