import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgestill.codec import encode_arrays
from edgestill.config import SummaryConfig
from edgestill.errors import FrameError
from edgestill.knowledge import decode_summary, encode_summary, summarize

QUIET = 1e-9
LABELS = np.array([0, 2, 2, 1, 2])
PROJECTIONS = np.array([[3, 4], [0.3, 0.4], [0, 2], [1, 0], [0, -0.5]], np.float32)


def summary_of(
    labels, projections, *, kind="prototypes", clip_norm=1.0, noise=QUIET, seed=0, widths=(2,)
):
    config = SummaryConfig(kind=kind, clip_norm=clip_norm, noise_multiplier=noise)
    return summarize(
        config,
        labels=labels,
        projections=projections,
        widths=widths,
        classes=4,
        rng=np.random.default_rng(seed),
    )


def test_histogram_and_sum_of_clipped_projections():
    summary = summary_of(LABELS, PROJECTIONS)
    np.testing.assert_allclose(summary.histogram, [1, 1, 3, 0], atol=1e-6)
    # (3, 4) and (0, 2) are clipped to norm 1.
    np.testing.assert_allclose(summary.prototype, [1.9, 1.7], atol=1e-6)


def test_each_kind_is_clipped_by_itself_to_its_share():
    projections = np.array([[3.0, 4.0, 0.1], [0.3, 0.4, -9.0]], np.float32)
    summary = summary_of(np.array([0, 1]), projections, widths=(2, 1), clip_norm=2.0)
    share = np.sqrt(2.0)
    expected = [0.6 * share + 0.3, 0.8 * share + 0.4, 0.1 - share]
    np.testing.assert_allclose(summary.prototype, expected, rtol=1e-5)


@settings(deadline=None)
@given(
    labels=hnp.arrays(np.int64, st.integers(1, 12), elements=st.integers(0, 3)),
    clip_norm=st.floats(0.1, 5.0),
    seed=st.integers(0, 100),
    data=st.data(),
)
def test_one_sample_moves_the_release_by_the_sensitivity_at_most(labels, clip_norm, seed, data):
    projections = np.random.default_rng(seed).normal(0, 3, (len(labels), 3)).astype(np.float32)
    left_out = data.draw(st.integers(0, len(labels) - 1))
    rest = np.delete(labels, left_out), np.delete(projections, left_out, axis=0)
    one = summary_of(labels, projections, clip_norm=clip_norm, widths=(2, 1))
    other = summary_of(*rest, clip_norm=clip_norm, widths=(2, 1))
    moved = np.concatenate([one.histogram - other.histogram, one.prototype - other.prototype])
    # With a noise multiplier of QUIET the stated deviation is QUIET times the sensitivity.
    assert np.linalg.norm(moved) <= one.noise_stddev / QUIET * (1 + 1e-4)


def test_the_sensitivity_is_reached():
    one = summary_of(np.array([1]), np.array([[9.0, 0.0]], np.float32), clip_norm=2.0)
    assert one.noise_stddev / QUIET == pytest.approx(np.sqrt(1 + 2.0**2))
    norm = np.hypot(np.linalg.norm(one.histogram), np.linalg.norm(one.prototype))
    assert norm == pytest.approx(np.sqrt(5), rel=1e-6)


def test_noise_is_on_every_number_with_the_stated_deviation():
    noise = [summary_of(LABELS, PROJECTIONS, noise=2.0, seed=seed) for seed in range(3000)]
    histograms = np.stack([summary.histogram for summary in noise])
    prototypes = np.stack([summary.prototype for summary in noise])
    assert noise[0].noise_stddev == pytest.approx(2 * np.sqrt(2))
    np.testing.assert_allclose(histograms.std(axis=0), 2 * np.sqrt(2), rtol=0.08)
    np.testing.assert_allclose(prototypes.std(axis=0), 2 * np.sqrt(2), rtol=0.08)


def test_histogram_alone_has_sensitivity_one_and_needs_no_projection():
    summary = summary_of(LABELS, None, kind="histogram", noise=3.0)
    assert (summary.kind, summary.prototype, summary.noise_stddev) == ("histogram", None, 3.0)


def test_a_device_without_samples_sends_noise():
    summary = summary_of(np.empty(0, np.int64), np.empty((0, 2), np.float32), noise=1.0)
    assert summary.histogram.shape == (4,)
    assert summary.histogram.all()


def test_prototypes_without_projections_are_refused():
    with pytest.raises(ValueError, match="projection of every sample"):
        summary_of(LABELS, None)


@pytest.mark.parametrize("kind", ["histogram", "prototypes"])
def test_frame_gives_the_summary_back(kind):
    summary = summary_of(LABELS, PROJECTIONS, kind=kind, noise=1.0)
    decoded = decode_summary(encode_summary(summary, fingerprint=5), fingerprint=5)
    assert decoded.kind == kind
    np.testing.assert_array_equal(decoded.histogram, summary.histogram)
    if summary.prototype is not None:
        np.testing.assert_array_equal(decoded.prototype, summary.prototype)
    assert decoded.noise_stddev == pytest.approx(summary.noise_stddev, rel=1e-7)


def test_summary_for_another_projection_is_refused():
    frame = encode_summary(summary_of(LABELS, PROJECTIONS), fingerprint=5)
    with pytest.raises(FrameError, match="fingerprint"):
        decode_summary(frame, fingerprint=6)


HISTOGRAM = np.zeros(4, np.float32)
STDDEV = np.array(1.0, np.float32)


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"histogram": HISTOGRAM},
        {"histogram": HISTOGRAM, "noise_stddev": STDDEV, "more": STDDEV},
        {"histogram": HISTOGRAM.astype(np.int32), "noise_stddev": STDDEV},
        {"histogram": np.zeros((2, 2), np.float32), "noise_stddev": STDDEV},
        {"histogram": HISTOGRAM, "noise_stddev": HISTOGRAM},
        {"histogram": HISTOGRAM, "noise_stddev": -STDDEV},
        {"histogram": HISTOGRAM, "noise_stddev": STDDEV, "prototype": np.zeros((3, 2), np.float32)},
        {"histogram": HISTOGRAM, "noise_stddev": STDDEV, "prototype": np.zeros(2, np.int8)},
    ],
)
def test_right_frames_of_other_content_are_refused(arrays):
    with pytest.raises(FrameError, match="summary frame"):
        decode_summary(encode_arrays(arrays, bits=32, fingerprint=0), fingerprint=0)


def test_summary_is_a_value():
    summary = summary_of(LABELS, PROJECTIONS)
    with pytest.raises(dataclasses.FrozenInstanceError):
        summary.kind = "histogram"
