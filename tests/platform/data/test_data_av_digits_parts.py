"""The signals that the build script computes: pen paths, inertial traces and spectrograms."""

import numpy as np
import pytest

from edgestill.data.av_digits import motion, roster, speech
from edgestill.data.av_digits.strokes import KNOTS, pen_path

STILL = np.zeros((12, 2))
USER = next(roster.users())


@pytest.mark.parametrize("digit", range(10))
def test_a_pen_goes_from_the_first_knot_to_the_last_and_rests_at_both(digit):
    path = pen_path(digit, np.linspace(0, 1, 201), STILL)
    np.testing.assert_allclose(path[[0, -1]], KNOTS[digit][[0, -1]], atol=1e-9)
    speed = np.linalg.norm(np.diff(path, axis=0), axis=1)
    assert speed[[0, -1]].max() < 0.1 * speed.max()
    for knot in KNOTS[digit]:
        assert np.linalg.norm(path - knot, axis=1).min() < 0.03


def test_a_still_wrist_feels_gravity_alone(monkeypatch):
    monkeypatch.setattr(motion, "ACCELEROMETER_NOISE_M_PER_S2", 0.0)
    monkeypatch.setattr(motion, "GYROSCOPE_NOISE_RAD_PER_S", 0.0)
    monkeypatch.setattr(motion, "_wrist", lambda *_: np.zeros((480, 3)))
    trace = motion.trace(USER, 3, 0)
    force = trace[:3] / 127 * motion.ACCELEROMETER_FULL_SCALE_M_PER_S2
    np.testing.assert_allclose(np.linalg.norm(force, axis=0), 9.81, atol=0.2)
    assert not trace[3:].any()


def test_traces_differ_by_digit_user_and_repetition():
    other = list(roster.users())[9]
    traces = [
        motion.trace(*who) for who in ((USER, 3, 5), (USER, 4, 5), (USER, 3, 6), (other, 3, 5))
    ]
    assert all(trace.shape == (6, 48) and trace.dtype == np.int8 for trace in traces)
    assert len({trace.tobytes() for trace in traces}) == 4
    np.testing.assert_array_equal(motion.trace(USER, 3, 5), traces[0])


@pytest.mark.parametrize("frequency_hz", [300.0, 1_000.0, 4_000.0])
def test_a_tone_is_loudest_in_its_own_band(frequency_hz):
    time_s = np.arange(speech.FORM.samples) / speech.FORM.rate_hz
    cells = speech.FORM.cells(np.sin(2 * np.pi * frequency_hz * time_s))
    assert (cells.shape, cells.dtype, cells.max()) == ((24, 32), np.uint8, 255)
    mel = 2595 * np.log10(1 + np.array([80.0, 8_000.0, frequency_hz]) / 700)
    expected = 25 * (mel[2] - mel[0]) / (mel[1] - mel[0]) - 1
    assert abs(cells.mean(axis=1).argmax() - expected) <= 1
