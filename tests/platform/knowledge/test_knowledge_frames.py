import contextlib
import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgestill.codec import decode_arrays, encode_arrays
from edgestill.errors import FrameError
from edgestill.knowledge import decode_frame, split_frame

POSITIONS = np.array([7, 0, 69, 7], dtype=np.int64)


@pytest.mark.parametrize("bits", [4, 8, 16])
@pytest.mark.parametrize("kinds", [("visual", "sensor"), ("sensor",)])
def test_device_gets_what_the_dataset_and_the_teacher_say(bank, dataset, bits, kinds):
    batch = decode_frame(bank.frame(POSITIONS, kinds, bits), fingerprint=bank.fingerprint)
    exact = dataset.inputs(bank.indices[POSITIONS])
    assert len(batch) == 4
    assert tuple(batch.inputs) == tuple(batch.embeddings) == kinds
    np.testing.assert_array_equal(batch.labels, bank.labels[POSITIONS])
    for kind in kinds:
        np.testing.assert_array_equal(batch.inputs[kind], exact[kind])
        _assert_close(batch.embeddings[kind], bank.embeddings[kind], bits)
    _assert_close(batch.logits, bank.logits, bits)


def _assert_close(decoded, table, bits):
    exact = table[POSITIONS]
    assert decoded.shape == exact.shape
    step = 2**-10 if bits == 16 else 1 / (2 ** (bits - 1) - 1)
    assert np.abs(decoded - exact).max() <= 0.501 * step * np.abs(table).max()


def test_records_kept_apart_join_to_the_same_frame(bank):
    layout = bank.layout(["visual", "sensor"], bits=4)
    kept = {
        position: bank.records(np.array([position]), ["visual", "sensor"], bits=4)[0]
        for position in set(POSITIONS.tolist())
    }
    joined = layout.join([kept[position] for position in POSITIONS.tolist()])
    assert joined == bank.frame(POSITIONS, ["visual", "sensor"], bits=4)


def test_a_frame_splits_to_its_records_and_joins_again(bank):
    frame = bank.frame(POSITIONS, ["visual", "sensor"])
    layout, records = split_frame(frame, fingerprint=bank.fingerprint)
    assert records == bank.records(POSITIONS, ["visual", "sensor"])
    assert layout.join(records) == frame
    assert layout.dtype == bank.layout(["visual", "sensor"]).dtype
    # 12 uint8, 10 int8, two embeddings of 6, 4 logits and a label, a byte each.
    assert layout.record_bytes == 12 + 10 + 2 * 6 + 4 + 1


def test_overhead_of_a_frame_is_small(bank):
    layout = bank.layout(["visual", "sensor"])
    frame = bank.frame(np.arange(64), ["visual", "sensor"])
    assert len(frame) - 64 * layout.record_bytes < 300


def test_no_samples_make_an_empty_batch(bank):
    batch = decode_frame(
        bank.frame(np.empty(0, np.int64), ["visual"]), fingerprint=bank.fingerprint
    )
    assert len(batch) == 0
    assert batch.inputs["visual"].shape == (0, 1, 3, 4)
    assert batch.logits.shape == (0, 4)


def test_inputs_of_a_dtype_that_does_not_travel_become_float32(bank, dataset):
    arrays = {kind: array.astype(np.float64) for kind, array in dataset.arrays.items()}
    wide = dataclasses.replace(bank, dataset=dataclasses.replace(dataset, arrays=arrays))
    batch = decode_frame(wide.frame(POSITIONS, ["visual"]), fingerprint=bank.fingerprint)
    np.testing.assert_array_equal(
        batch.inputs["visual"], dataset.inputs(bank.indices[POSITIONS])["visual"]
    )


def test_unknown_bits_and_foreign_records_are_refused(bank):
    with pytest.raises(ValueError, match="bits is 5"):
        bank.frame(POSITIONS, ["visual"], 5)
    with pytest.raises(ValueError, match="bytes"):
        bank.layout(["visual"]).join([b"short"])


def test_frame_of_another_bank_is_refused(bank):
    with pytest.raises(FrameError, match="fingerprint"):
        decode_frame(bank.frame(POSITIONS, ["visual"]), fingerprint=bank.fingerprint ^ 1)


@settings(deadline=None)
@given(data=st.data())
def test_damaged_frames_are_refused(bank, data):
    frame = bytearray(bank.frame(POSITIONS, ["visual", "sensor"]))
    frame[data.draw(st.integers(0, len(frame) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(FrameError):
        decode_frame(bytes(frame), fingerprint=bank.fingerprint)


STRANGE = st.sampled_from(
    [
        np.zeros((4, 3), np.uint8),
        np.zeros((3, 6), np.uint8),
        np.zeros((4, 6), np.int8),
        np.zeros((), np.uint8),
        np.zeros(4, np.int32),
        np.array([8, 6, np.float32(3e38)], np.float32),
        np.array([4, 5e9, 1], np.float32),
        np.array([7, 6, 1], np.float32),
        np.array([3e38, 3e38], np.float32),
        np.zeros(2, np.uint8),
    ]
)


@settings(deadline=None)
@given(data=st.data())
def test_strange_content_in_a_right_frame_is_refused_or_whole(bank, data):
    arrays = decode_arrays(
        bank.frame(POSITIONS, ["visual", "sensor"]), fingerprint=bank.fingerprint
    )
    for name in data.draw(st.sets(st.sampled_from(sorted(arrays)), max_size=2)):
        if data.draw(st.booleans()):
            arrays[name] = data.draw(STRANGE)
        else:
            del arrays[name]
    frame = encode_arrays(arrays, bits=32, fingerprint=bank.fingerprint)
    with contextlib.suppress(FrameError):
        batch = decode_frame(frame, fingerprint=bank.fingerprint)
        tables = [*batch.inputs.values(), *batch.embeddings.values(), batch.logits]
        assert all(len(table) == len(batch) for table in tables)
        assert all(np.isfinite(table).all() for table in tables)
    with contextlib.suppress(FrameError):
        split_frame(frame, fingerprint=bank.fingerprint)


def test_what_each_sample_counts_travels_with_the_frame_and_not_with_the_records(bank):
    layout, records = bank.layout(bank.kinds), bank.records(POSITIONS, bank.kinds)
    levels = np.array([255, 51, 102, 0], np.uint8)
    frame = layout.join(records, levels)
    batch = decode_frame(frame, fingerprint=bank.fingerprint)
    np.testing.assert_allclose(batch.relevance, np.array([2.5, 0.5, 1.0, 0.0]), rtol=1e-6)
    # Four bytes and the column's name.
    assert 4 <= len(frame) - len(layout.join(records)) < 40
    assert decode_frame(layout.join(records), fingerprint=bank.fingerprint).relevance is None
    again, split = split_frame(frame, fingerprint=bank.fingerprint)
    assert (split, again.record_bytes) == (records, layout.record_bytes)


@pytest.mark.parametrize(
    "relevance", [np.zeros(4, np.uint8), np.ones(4, np.int8), np.ones(3, np.uint8)]
)
def test_weights_that_cannot_be_are_refused(bank, relevance):
    frame = bank.frame(POSITIONS, bank.kinds)
    arrays = decode_arrays(frame, fingerprint=bank.fingerprint) | {"relevance": relevance}
    with pytest.raises(FrameError):
        decode_frame(
            encode_arrays(arrays, bits=32, fingerprint=bank.fingerprint),
            fingerprint=bank.fingerprint,
        )
