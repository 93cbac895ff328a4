"""Whatever the bytes: a FrameError or arrays within the cap, nothing else."""

import contextlib
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edgestill.codec import HEADER_BYTES, decode_arrays, encode_arrays
from edgestill.errors import FrameError

CAP = 1 << 16


def sample_frame(bits: int) -> bytes:
    rng = np.random.default_rng(0)
    arrays = {
        "encoder.weight": rng.laplace(0, 0.1, (40, 20)).astype(np.float32),
        "encoder.bias": rng.laplace(0, 0.1, 20).astype(np.float32),
        "labels": np.arange(10, dtype=np.uint8),
    }
    return encode_arrays(arrays, bits=bits, fingerprint=1)


def forge(head: bytes, payload: bytes, *, bits: int = 8, flags: int = 0) -> bytes:
    """A frame whose envelope is right, whatever it holds."""
    fields = struct.pack("<4sBBBBIII", b"ESTL", 1, 1, bits, flags, 1, len(head), len(payload))
    checksum = struct.pack("<I", zlib.crc32(fields + head + payload))
    return fields + checksum + head + payload


def decode_or_refuse(frame: bytes) -> None:
    with contextlib.suppress(FrameError):
        arrays = decode_arrays(frame, fingerprint=1, max_bytes=CAP)
        assert sum(array.nbytes for array in arrays.values()) <= CAP
        assert all(np.isfinite(array).all() for array in arrays.values())


@settings(deadline=None)
@given(st.binary(max_size=400))
@example(b"")
def test_random_bytes(data):
    with pytest.raises(FrameError):
        decode_arrays(data, fingerprint=1)


@settings(deadline=None)
@given(bits=st.sampled_from([4, 8, 16, 32]), data=st.data())
def test_truncation(bits, data):
    frame = sample_frame(bits)
    kept = data.draw(st.integers(0, len(frame) - 1))
    with pytest.raises(FrameError):
        decode_arrays(frame[:kept], fingerprint=1)


@settings(deadline=None)
@given(bits=st.sampled_from([4, 8, 16, 32]), data=st.data())
def test_bit_flips(bits, data):
    frame = bytearray(sample_frame(bits))
    for at in data.draw(st.sets(st.integers(0, 8 * len(frame) - 1), min_size=1, max_size=3)):
        frame[at // 8] ^= 1 << at % 8
    with pytest.raises(FrameError):
        decode_arrays(bytes(frame), fingerprint=1)


@settings(max_examples=300, deadline=None)
@given(bits=st.sampled_from([4, 8, 16, 32]), data=st.data())
def test_changed_content_under_a_right_checksum(bits, data):
    frame = sample_frame(bits)
    head_bytes = struct.unpack_from("<I", frame, 12)[0]
    content = bytearray(frame[HEADER_BYTES:])
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.sampled_from([0, 0, 1, 4]))
    head, payload = bytes(content[:head_bytes]), bytes(content[head_bytes : len(content) - cut])
    decode_or_refuse(forge(head, payload, bits=bits, flags=frame[7]))


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=60),
    st.binary(max_size=200),
    st.sampled_from([4, 8, 16, 32, 7]),
    st.booleans(),
)
def test_random_content_under_a_right_checksum(head, payload, bits, coded):
    decode_or_refuse(forge(head, payload, bits=bits, flags=int(coded)))


ONE_HUGE = b"\x01\x00\x01a\x01\xff\xff\xff\xff\x7f"  # one float32 axis of 2**35 - 1
MANY_AXES = b"\x01\x00\x01a\x08" + b"\xff\xff\xff\xff\x7f" * 8
HIDDEN_BY_ZERO = b"\x01\x00\x01a\x02\x00\xff\xff\xff\xff\x7f"
COUNT = b"\xff\xff\xff\xff\x7f"
TWICE = b"\x02\x00\x01a\x00\x01\x00\x00"
NOT_UTF8 = b"\x01\x00\x01\xff\x00"
LONG_INTEGER = b"\xff" * 8


@pytest.mark.parametrize(
    "head", [ONE_HUGE, MANY_AXES, HIDDEN_BY_ZERO, COUNT, TWICE, NOT_UTF8, LONG_INTEGER]
)
@pytest.mark.parametrize("flags", [0, 1])
def test_wild_descriptions_are_refused_before_anything_is_allocated(head, flags):
    frame = forge(head, b"\x00" * 64, bits=4, flags=flags)
    tracemalloc.start()
    with pytest.raises(FrameError):
        decode_arrays(frame, fingerprint=1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20


def test_bomb_stays_within_a_few_times_its_cap():
    zeros = {str(at): np.zeros(1000, np.float32) for at in range(16)}
    frame = encode_arrays(zeros, bits=4, fingerprint=1)
    assert len(frame) < 300
    tracemalloc.start()
    decode_arrays(frame, fingerprint=1, max_bytes=64_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * 64_000
    with pytest.raises(FrameError, match="64000 bytes of arrays; the cap is 63999"):
        decode_arrays(frame, fingerprint=1, max_bytes=63_999)


STEP = struct.pack("<f", 1.0)
HEAD = b"\x01\x00\x01a\x01\x04"  # "a", float32, 4 elements


@pytest.mark.parametrize(
    ("payload", "flags", "said"),
    [
        (struct.pack("<f", np.nan) + bytes(4), 0, "step"),
        (struct.pack("<f", -1.0) + bytes(4), 0, "step"),
        (struct.pack("<f", 3e38) + bytes(4), 0, "step"),
        (STEP + bytes(3), 0, "cut short"),
        (STEP + bytes(5), 0, "1 bytes more"),
        (STEP + b"\x80\x00\x01", 1, "table"),
        (STEP + b"\xff\x01\x01\x01", 1, "table"),
        (STEP + b"\x80\x01\x00\x00", 1, "table"),
        (STEP + b"\x80\x01\x01\x01" + bytes(3), 1, "not whole words"),
        (STEP + b"\x80\x01\x01\x01" + bytes(4), 1, "empty word"),
        (STEP + b"\x80\x01\x01\x01" + b"\x01" * 16, 1, "go on beyond"),
    ],
)
def test_each_flaw_of_coded_symbols_is_named(payload, flags, said):
    with pytest.raises(FrameError, match=said):
        decode_arrays(forge(HEAD, payload, flags=flags), fingerprint=1)


def test_floats_that_are_not_finite_are_refused():
    with pytest.raises(FrameError, match="a contains NaN"):
        decode_arrays(forge(HEAD, struct.pack("<4f", 0, 1, np.nan, 2), bits=32), fingerprint=1)
