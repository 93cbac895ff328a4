import hashlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgestill.codec import HEADER_BYTES, decode_arrays, encode_arrays, frame_bound_bytes
from edgestill.errors import FrameError

FLOATS = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=6),
    elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
)
INTEGERS = st.sampled_from(["u1", "i1", "<u2", "<i2", "<u4", "<i4", "<i8"]).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0))
)
NAMES = st.text(max_size=20)
SMALLEST = 2 * float(np.finfo(np.float32).smallest_subnormal)
BITS = st.sampled_from([4, 8, 16, 32])


@settings(deadline=None)
@given(arrays=st.dictionaries(NAMES, FLOATS | INTEGERS, max_size=6), bits=BITS)
def test_names_shapes_dtypes_and_order_survive(arrays, bits):
    decoded = decode_arrays(encode_arrays(arrays, bits=bits, fingerprint=3), fingerprint=3)
    assert list(decoded) == list(arrays)
    for name, array in arrays.items():
        assert decoded[name].shape == array.shape
        assert decoded[name].dtype == array.dtype
        if array.dtype != np.float32 or bits == 32:
            np.testing.assert_array_equal(decoded[name], array)


MODERATE = hnp.arrays(
    np.float32, st.integers(0, 40), elements=st.floats(-(2.0**100), 2.0**100, width=32)
)


@settings(deadline=None)
@given(array=MODERATE, bits=st.sampled_from([4, 8]))
def test_nearest_rounding_is_off_by_half_a_step_at_most(array, bits):
    decoded = decode_arrays(encode_arrays({"a": array}, bits=bits, fingerprint=0), fingerprint=0)
    peak = np.abs(array, dtype=np.float64).max(initial=0.0)
    limit = 2 ** (bits - 1) - 1
    error = np.abs(decoded["a"].astype(np.float64) - array).max(initial=0.0)
    assert error <= peak / limit * (0.5 + 1e-5) + SMALLEST


def test_ends_of_float32_saturate_and_stay_finite():
    ends = np.array([np.finfo(np.float32).max, np.finfo(np.float32).min], np.float32)
    for bits in (4, 8):
        frame = encode_arrays({"a": ends}, bits=bits, fingerprint=0)
        assert np.isfinite(decode_arrays(frame, fingerprint=0)["a"]).all()


@settings(deadline=None)
@given(arrays=st.dictionaries(NAMES, FLOATS, max_size=6), bits=BITS, seed=st.none() | st.just(5))
def test_bound_is_an_upper_bound(arrays, bits, seed):
    shapes = {name: array.shape for name, array in arrays.items()}
    frame = encode_arrays(arrays, bits=bits, fingerprint=0, seed=seed)
    assert len(frame) <= frame_bound_bytes(shapes, bits=bits)


def test_bound_is_reached_by_noise_that_cannot_be_compressed():
    rng = np.random.default_rng(0)
    array = rng.uniform(-1, 1, 3000).astype(np.float32)
    frame = encode_arrays({"a": array}, bits=8, fingerprint=0)
    assert len(frame) == frame_bound_bytes({"a": (3000,)}, bits=8)


def test_header_is_small():
    assert HEADER_BYTES == 24
    assert len(encode_arrays({}, bits=8, fingerprint=0)) == HEADER_BYTES + 1


@pytest.mark.parametrize("bits", [4, 8])
def test_laplace_update_comes_within_two_percent_of_its_entropy(bits):
    rng = np.random.default_rng(1)
    update = rng.laplace(0, 0.01, 100_000).astype(np.float32)
    frame = encode_arrays({"w": update}, bits=bits, fingerprint=0)
    symbols = decode_arrays(frame, fingerprint=0)["w"]
    _, counts = np.unique(symbols, return_counts=True)
    shares = counts / counts.sum()
    entropy_bytes = -(shares * np.log2(shares)).sum() * len(update) / 8
    table_bytes = 2**bits + 2
    assert len(frame) <= 1.02 * entropy_bytes + table_bytes
    assert len(frame) < 0.8 * len(update) * bits / 8


def test_update_of_zeros_takes_next_to_nothing():
    frame = encode_arrays({"w": np.zeros(100_000, np.float32)}, bits=4, fingerprint=0)
    assert len(frame) < 48


def test_stochastic_rounding_is_unbiased_and_seeded():
    array = np.linspace(-1, 1, 50, dtype=np.float32)
    frames = [encode_arrays({"a": array}, bits=4, fingerprint=0, seed=seed) for seed in range(2000)]
    mean = np.mean([decode_arrays(frame, fingerprint=0)["a"] for frame in frames], axis=0)
    # The standard error of a mean of 2,000 roundings with a step of 1/7 is at most 0.0016.
    np.testing.assert_allclose(mean, array, atol=5 * 0.0016)
    assert frames[3] == encode_arrays({"a": array}, bits=4, fingerprint=0, seed=3)
    assert frames[3] != frames[4]


def test_float16_saturates():
    frame = encode_arrays({"a": np.array([1e6, -1e6], np.float32)}, bits=16, fingerprint=0)
    np.testing.assert_array_equal(decode_arrays(frame, fingerprint=0)["a"], [65504.0, -65504.0])


GOLDEN = (
    "45 53 54 4c 01 01 04 00 07 00 00 00 07 00 00 00 07 00 00 00 "  # header
    "7b cc 1c 34 "  # CRC-32
    "01 00 01 77 02 02 03 "  # one array, name "w", float32 with two axes, 2 x 3
    "00 00 80 3f 10 32 f9"  # step 1.0; symbols 0 1 | 2 3 | -7 -1
)


def test_golden_frame():
    array = np.array([[0, 1, 2], [3, -7, -1]], np.float32)
    frame = encode_arrays({"w": array}, bits=4, fingerprint=7)
    assert frame.hex(" ") == " ".join(GOLDEN.split())
    np.testing.assert_array_equal(decode_arrays(frame, fingerprint=7)["w"], array)


def test_another_process_decodes_the_same():
    array = np.random.default_rng(2).laplace(0, 1, 5000).astype(np.float32)
    frame = encode_arrays({"w": array}, bits=8, fingerprint=9, seed=1)
    script = (
        "import sys, hashlib; from edgestill.codec import decode_arrays; "
        "array = decode_arrays(bytes.fromhex(sys.stdin.read()), fingerprint=9)['w']; "
        "print(hashlib.sha256(array.tobytes()).hexdigest())"
    )
    run = subprocess.run(  # noqa: S603  our own interpreter on our own script
        [sys.executable, "-c", script],
        input=frame.hex(),
        capture_output=True,
        text=True,
        check=True,
    )
    here = decode_arrays(frame, fingerprint=9)["w"].tobytes()
    assert run.stdout.strip() == hashlib.sha256(here).hexdigest()


@pytest.mark.parametrize(
    ("arrays", "bits", "said"),
    [
        ({"a": np.zeros(2, np.float32)}, 5, "bits is 5"),
        ({"a": np.array([np.nan], np.float32)}, 8, "a: contains NaN"),
        ({"a": np.array([np.inf], np.float32)}, 32, "a: contains NaN or infinity"),
        ({"a": np.zeros(2, np.float64)}, 8, "a: dtype <f8 does not travel"),
        ({"a" * 256: np.zeros(2, np.float32)}, 8, "255 bytes"),
        ({"a": np.zeros((1,) * 9, np.float32)}, 8, "axes"),
        ({str(i): np.zeros(1, np.float32) for i in range(4097)}, 8, "4097 arrays"),
        ({"a": np.zeros(2**26, np.uint8)}, 8, "exceeds the cap"),
    ],
)
def test_what_cannot_be_coded_is_refused_by_name(arrays, bits, said):
    with pytest.raises(ValueError, match=said):
        encode_arrays(arrays, bits=bits, fingerprint=0)


def test_frame_of_another_model_is_refused():
    frame = encode_arrays({"a": np.zeros(2, np.float32)}, bits=8, fingerprint=1)
    with pytest.raises(FrameError, match="fingerprint 00000001; expected 00000002"):
        decode_arrays(frame, fingerprint=2)


@settings(max_examples=30, deadline=None)
@given(cap=st.integers(0, 400))
def test_cap_holds_for_frame_and_content(cap):
    frame = encode_arrays({"a": np.zeros(100, np.float32)}, bits=4, fingerprint=0)
    if cap >= max(400, len(frame)):
        assert decode_arrays(frame, fingerprint=0, max_bytes=cap)["a"].nbytes == 400
    else:
        with pytest.raises(FrameError):
            decode_arrays(frame, fingerprint=0, max_bytes=cap)
