import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgestill.codec import encode_arrays
from edgestill.errors import FrameError
from edgestill.knowledge import decode_projection, encode_projection, fit_projection, project

FINGERPRINT = 77
LABELS = np.arange(30) % 3


@pytest.fixture(scope="module")
def inputs():
    rng = np.random.default_rng(0)
    return {
        "visual": rng.normal(size=(30, 1, 4, 4)).astype(np.float32),
        "sensor": rng.normal(size=(30, 2, 5)).astype(np.float32),
    }


@pytest.fixture(scope="module")
def projection(inputs):
    return fit_projection(inputs, LABELS, classes=3, width=4)


@pytest.fixture(scope="module")
def frame(projection):
    return encode_projection(projection, fingerprint=FINGERPRINT)


def test_round_trip_keeps_the_kinds_and_the_numbers_to_float16(projection, inputs, frame):
    back = decode_projection(frame, fingerprint=FINGERPRINT)
    assert (back.kinds, back.widths, back.features) == (("visual", "sensor"), (4, 4), (16, 10))
    for name in ("basis", "centres"):
        sent, received = getattr(projection, name), getattr(back, name)
        assert received.dtype == np.float32
        np.testing.assert_array_equal(received, sent.astype(np.float16).astype(np.float32))
    # Neither the order of the kinds nor the precision moves a sample.
    np.testing.assert_allclose(
        project(back, inputs, LABELS), project(projection, inputs, LABELS), atol=5e-3
    )


def test_it_is_small(projection, frame):
    # The zeros between kinds do not travel.
    numbers = projection.centres.size + 4 * 16 + 4 * 10
    assert 2 * numbers < len(frame) < 2 * numbers + 250


def test_another_runs_frame_is_refused(frame):
    with pytest.raises(FrameError):
        decode_projection(frame, fingerprint=FINGERPRINT + 1)


CENTRES, BASIS = np.zeros((3, 2), np.float32), np.zeros((2, 6), np.float32)


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"basis/visual": BASIS},
        {"centres": CENTRES},
        {"centres": CENTRES, "basis/visual": BASIS, "basis/audio": BASIS},
        {"centres": CENTRES, "basis/visual": BASIS, "more": CENTRES},
        {"centres": CENTRES, "basis/visual": BASIS[0]},
        {"centres": CENTRES[0], "basis/visual": BASIS},
        {"centres": CENTRES[:, :1], "basis/visual": BASIS},
    ],
    ids=lambda arrays: "+".join(arrays) or "nothing",
)
def test_a_frame_of_other_things_is_refused(arrays):
    frame = encode_arrays(arrays, bits=16, fingerprint=FINGERPRINT)
    with pytest.raises(FrameError, match="projection frame"):
        decode_projection(frame, fingerprint=FINGERPRINT)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_frame_raises_frame_error_and_nothing_else(frame, data):
    damaged = bytearray(frame)
    place = data.draw(st.integers(0, len(frame) - 1))
    damaged[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(FrameError):
        decode_projection(bytes(damaged), fingerprint=FINGERPRINT)
    with pytest.raises(FrameError):
        decode_projection(frame[:place], fingerprint=FINGERPRINT)
