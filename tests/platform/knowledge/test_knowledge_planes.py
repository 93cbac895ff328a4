import numpy as np
import pytest

from edgestill.codec import decode_arrays, encode_arrays
from edgestill.errors import FrameError
from edgestill.knowledge import decode_frame, split_frame

POSITIONS = np.arange(0, 70, 3)
KINDS = ("visual", "sensor")


def frame_of(bank, *, lower_rate, bits=8):
    records = bank.records(POSITIONS, KINDS, bits)
    return bank.layout(KINDS, bits).join(records, lower_rate=lower_rate)


def decoded(bank, *, lower_rate, bits=8):
    return decode_frame(
        frame_of(bank, lower_rate=lower_rate, bits=bits), fingerprint=bank.fingerprint
    )


def test_every_number_is_within_half_a_sixteenth_of_its_range(bank, dataset):
    fine, rough = decoded(bank, lower_rate=False), decoded(bank, lower_rate=True)
    for kind in KINDS:
        # Eight of 256 codes; visual has a scale of 1/255, sensor of 0.03.
        scale = dataset.modalities[kind].scale
        errors = np.abs(rough.inputs[kind] - fine.inputs[kind])
        assert rough.inputs[kind].shape == fine.inputs[kind].shape
        assert 4 * scale < errors.max() <= 8.001 * scale
        peak = np.abs(bank.embeddings[kind]).max()
        error = np.abs(rough.embeddings[kind] - fine.embeddings[kind]).max()
        assert 0 < error <= 8.001 * peak / 127
    assert np.abs(rough.logits - fine.logits).max() <= 8.001 * np.abs(bank.logits).max() / 127
    np.testing.assert_array_equal(rough.labels, fine.labels)


def test_it_takes_half_of_the_bytes_and_the_layout_foretells_them(bank):
    layout = bank.layout(KINDS)
    # 12 and 10 inputs, 2 x 6 and 4 outputs at half a byte, and the label whole.
    assert layout.coarse_bytes == 6 + 5 + 2 * 3 + 2 + 1
    more = len(frame_of(bank, lower_rate=True)) - len(POSITIONS) * layout.coarse_bytes
    assert 0 < more < 500


def test_numbers_of_more_than_a_byte_stay_whole(bank):
    fine, rough = decoded(bank, lower_rate=False, bits=16), decoded(bank, lower_rate=True, bits=16)
    np.testing.assert_array_equal(rough.logits, fine.logits)
    assert np.abs(rough.inputs["visual"] - fine.inputs["visual"]).max() > 0


def test_an_odd_number_of_values_loses_none(bank):
    rough = decode_frame(
        bank.layout(KINDS, 4).join(bank.records(POSITIONS, KINDS, 4), lower_rate=True),
        fingerprint=bank.fingerprint,
    )
    assert rough.embeddings["visual"].shape == (len(POSITIONS), 6)


def test_a_frame_of_the_lower_rate_splits_to_records_of_the_whole_layout(bank):
    layout, records = split_frame(frame_of(bank, lower_rate=True), fingerprint=bank.fingerprint)
    assert layout.record_bytes == bank.layout(KINDS).record_bytes
    assert len(records) == len(POSITIONS)


@pytest.mark.parametrize(
    "said",
    [
        np.array([0, 1, 3, 9], np.int32),
        np.array([2, 1, 3, 4], np.int32),
        np.array([0, -1, 3, -4], np.int32),
        np.array([0, 1 << 30, 1 << 30, 1 << 30], np.int32),
        np.array([0], np.int32),
        np.array([0, 1, 3, 4], np.float32),
    ],
    ids=lambda said: f"{said.dtype}{said.tolist()}",
)
def test_a_plane_that_does_not_fit_its_column_is_refused(bank, said):
    frame = frame_of(bank, lower_rate=True)
    arrays = decode_arrays(frame, fingerprint=bank.fingerprint) | {"visual/input/whole": said}
    damaged = encode_arrays(arrays, bits=32, fingerprint=bank.fingerprint)
    with pytest.raises(FrameError, match="visual/input"):
        decode_frame(damaged, fingerprint=bank.fingerprint)


def test_a_shape_without_its_plane_is_refused(bank):
    arrays = decode_arrays(frame_of(bank, lower_rate=True), fingerprint=bank.fingerprint)
    del arrays["visual/input"]
    damaged = encode_arrays(arrays, bits=32, fingerprint=bank.fingerprint)
    with pytest.raises(FrameError, match="has no plane"):
        decode_frame(damaged, fingerprint=bank.fingerprint)
