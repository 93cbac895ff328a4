"""Frames of tokens: the same everywhere; whatever the bytes, a FrameError or the tokens."""

import contextlib
import hashlib
import os
import struct
import subprocess
import sys
import time
import tracemalloc
import zlib

import numpy as np
import pytest
from feature_codecs import DIMENSION, KINDS, frozen, tokens
from hypothesis import given, settings
from hypothesis import strategies as st

from edgestill.codec import HEADER_BYTES
from edgestill.codec.frozen import CODEC_TOKENS, FrozenCodec
from edgestill.codec.frozen.integers import IntegerLayer, shifted_down
from edgestill.errors import DataError, FrameError

ELSEWHERE = """
import hashlib, sys
from pathlib import Path
from edgestill.codec.frozen import FrozenCodec
codec = FrozenCodec.load(Path(sys.argv[1]))
decoded = codec.decode(Path(sys.argv[2]).read_bytes())
heavy = [name for name in ("torch", "compressai") if name in sys.modules]
print(hashlib.sha256(decoded.tobytes()).hexdigest(), heavy)
"""


def forge(codec: FrozenCodec, count: int, payload: bytes, flags: int = 0, head=b"") -> bytes:
    """A frame whose envelope is right, whatever it holds."""
    sizes = (len(head), len(payload))
    kind = (CODEC_TOKENS, count, flags, codec.fingerprint)
    fields = struct.pack("<4sBBBBIII", b"ESTL", 1, *kind, *sizes)
    return fields + struct.pack("<I", zlib.crc32(fields + head + payload)) + head + payload


@pytest.mark.parametrize("kind", KINDS)
def test_another_process_with_other_threads_and_kernels_decodes_the_same_bits(kind, tmp_path):
    codec = frozen(kind)
    codec.save(tmp_path / "codec.safetensors")
    frame = codec.encode(tokens(300), 1)
    (tmp_path / "frame").write_bytes(frame)
    here = hashlib.sha256(codec.decode(frame).tobytes()).hexdigest()
    paths = [str(tmp_path / name) for name in ("codec.safetensors", "frame")]
    environment = {**os.environ, "OMP_NUM_THREADS": "4", "OPENBLAS_CORETYPE": "Nehalem"}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    said = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", ELSEWHERE, *paths],
        env=environment, capture_output=True, text=True, check=True, timeout=120,
    ).stdout  # fmt: skip
    # Nor does a device that decodes pay for what trains.
    assert said.strip() == f"{here} []"


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(KINDS), count=st.integers(1, 40), seed=st.integers(0, 99), data=st.data()
)
def test_what_is_decoded_is_what_the_sender_foresaw(kind, count, seed, data):
    codec, scale = frozen(kind), data.draw(st.sampled_from([0.0, 0.1, 1.0, 30.0, 1e4, 1e9]))
    sent = (scale * tokens(count, count)).astype(np.float32)
    frame = codec.encode(sent, data.draw(st.integers(0, 1)))
    first, second = codec.decode(frame), codec.decode(frame)
    assert first.shape == sent.shape
    assert np.array_equal(first, second)
    assert np.abs(first - sent).max() <= 3.0 + np.abs(sent).max() / 200


@settings(deadline=None)
@given(kind=st.sampled_from(KINDS), data=st.data())
def test_truncated_flipped_and_random_bytes(kind, data):
    codec = frozen(kind)
    frame = codec.encode(tokens(20))
    flipped = bytearray(frame)
    for at in data.draw(st.sets(st.integers(0, 8 * len(frame) - 1), min_size=1, max_size=3)):
        flipped[at // 8] ^= 1 << at % 8
    cut = frame[: data.draw(st.integers(0, len(frame) - 1))]
    for wrong in (cut, bytes(flipped), data.draw(st.binary(max_size=200)), frame + b"\0"):
        with pytest.raises(FrameError):
            codec.decode(wrong)


@pytest.mark.parametrize("kind", KINDS)
def test_thousands_of_contents_under_a_right_envelope_never_give_other_tokens(kind):
    codec, rng = frozen(kind), np.random.default_rng(8)
    frame = codec.encode(tokens(12), 1)
    payload = frame[HEADER_BYTES:]
    wrong = 0
    for _ in range(1500):
        changed = bytearray(payload)
        for at in rng.integers(0, len(changed), rng.integers(1, 5)):
            changed[at] ^= int(rng.integers(1, 256))
        cut = len(changed) - int(rng.choice([0, 0, 0, 1, 4, 40]))
        flags = int(rng.choice([4, 4, 4, 6, 0, 8, 255]))
        forged = forge(codec, 12, bytes(changed[:cut]), flags)
        with contextlib.suppress(FrameError):
            codec.decode(forged)
            wrong += 1
    # The checksum lets one in 2**32 through.
    assert wrong == 0


def test_frames_of_others_are_refused():
    frame = frozen("hyperprior").encode(tokens(8))
    for kind in ("factorised", "mixture"):
        with pytest.raises(FrameError, match="fingerprint"):
            frozen(kind).decode(frame)
    newer = bytearray(frame)
    newer[4] = 2
    with pytest.raises(FrameError, match="version 2"):
        frozen("hyperprior").decode(bytes(newer))


def test_a_codec_that_differs_in_one_weight_has_another_fingerprint():
    arrays = frozen("hyperprior").to_arrays()
    weight = arrays["synthesis.places.weight"].copy()
    weight.flat[0] += 1
    other = FrozenCodec({**arrays, "synthesis.places.weight": weight})
    with pytest.raises(FrameError, match="fingerprint"):
        other.decode(frozen("hyperprior").encode(tokens(8)))
    gains = {"encoder.gains": arrays["encoder.gains"] * 2}
    # What only the sender uses may differ.
    assert FrozenCodec({**arrays, **gains}).fingerprint == frozen("hyperprior").fingerprint


def test_a_mismatch_of_the_ends_is_told_by_the_checksum():
    codec, arrays = frozen("hyperprior"), frozen("hyperprior").to_arrays()
    bias = arrays["synthesis.means.bias"].copy()
    bias += 1 << 18
    other = FrozenCodec({**arrays, "synthesis.means.bias": bias})
    other.fingerprint = codec.fingerprint
    with pytest.raises(FrameError, match="CRC-32"):
        other.decode(codec.encode(tokens(8)))


def test_a_declared_size_is_refused_before_memory_is_taken():
    codec = frozen("mixture")
    huge = forge(codec, 255, b"\x01" * 8, head=b"\xff\xff\xff\xff\x7f")
    tracemalloc.start()
    began = time.monotonic()
    with pytest.raises(FrameError, match="the cap is"):
        codec.decode(huge)
    with pytest.raises(FrameError, match="the cap is 960"):
        codec.decode(codec.encode(tokens(11)), max_bytes=4 * 10 * DIMENSION)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20
    assert time.monotonic() - began < 30


def test_a_file_that_is_no_codec_is_named(tmp_path):
    path = tmp_path / "codec.safetensors"
    with pytest.raises(DataError, match="cannot be read"):
        FrozenCodec.load(path)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(DataError, match="no frozen codec"):
        FrozenCodec.load(path)
    arrays = frozen("mixture").to_arrays()
    for name in arrays:
        rest = {key: array for key, array in arrays.items() if key != name}
        with pytest.raises(ValueError, match=name.split(".")[0]):
            FrozenCodec(rest)


def test_sums_of_integers_are_exact_in_any_order():
    rng = np.random.default_rng(4)
    weight, bias = rng.normal(size=(2048, 3)), rng.normal(size=3)
    layer = IntegerLayer.of(weight, bias, input_bits=8)
    inputs = rng.integers(-(1 << 24), 1 << 24, (5, 2048)).astype(np.float64)
    order = rng.permutation(2048)
    shuffled = IntegerLayer(weight=layer.weight[order], bias=layer.bias, exponent=layer.exponent)
    exact = inputs.astype(object) @ layer.weight.astype(int).astype(object)
    assert (layer(inputs) == exact + layer.bias.astype(int)).all()
    assert np.array_equal(layer(inputs), shuffled(inputs[:, order]))
    assert shifted_down(np.array([-3.0, -2.0, 1.0, 2.0, 3.0]), 1).tolist() == [-1, -1, 1, 1, 2]
