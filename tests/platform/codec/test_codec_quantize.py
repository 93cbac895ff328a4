import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgestill.codec import (
    dequantize,
    is_step,
    pack_symbols,
    packed_width,
    quantize,
    unpack_symbols,
)
from edgestill.codec.entropy import decode_symbols, encode_symbols
from edgestill.codec.reader import Reader, varint

SYMBOLS = hnp.arrays(np.int8, st.integers(1, 300), elements=st.integers(-127, 127))


@pytest.mark.parametrize("bits", [4, 8])
@settings(deadline=None)
@given(data=st.data())
def test_packed_symbols_come_back(bits, data):
    limit = 2 ** (bits - 1) - 1
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=9))
    symbols = data.draw(hnp.arrays(np.int8, shape, elements=st.integers(-limit, limit)))
    packed = pack_symbols(symbols, bits)
    assert packed.shape == (*shape[:-1], packed_width(shape[-1], bits))
    np.testing.assert_array_equal(unpack_symbols(packed, shape[-1], bits), symbols)


def test_golden_quantisation():
    values = np.array([-1.4, -0.1, 0.0, 0.09, 0.7], np.float32)
    symbols, step = quantize(values, 4)
    np.testing.assert_array_equal(symbols, [-7, 0, 0, 0, 4])  # 3.5 rounds to even
    assert step == np.float32(0.2)
    np.testing.assert_allclose(dequantize(symbols, step), [-1.4, 0, 0, 0, 0.8], rtol=1e-6)


@settings(deadline=None)
@given(st.floats(width=32, min_value=0, allow_infinity=False))
def test_every_step_is_one_that_the_decoder_accepts(peak):
    symbols, step = quantize(np.array([peak], np.float32), 8)
    assert is_step(step)
    assert np.isfinite(dequantize(symbols, step)).all()


@settings(deadline=None)
@given(SYMBOLS, st.integers(0, 300))
def test_coded_symbols_come_back_in_portions(symbols, cut):
    first = min(cut, len(symbols))
    stream = Reader(encode_symbols(symbols))
    parts = list(decode_symbols(stream, [first, len(symbols) - first]))
    np.testing.assert_array_equal(np.concatenate(parts), symbols)
    assert stream.remaining == 0


@settings(deadline=None)
@given(st.integers(0, 2**35 - 1))
def test_varint_comes_back(value):
    coded = varint(value)
    assert Reader(coded).varint() == value
    assert len(coded) == max(1, -(-value.bit_length() // 7))


def test_golden_stream_is_the_same_on_every_machine():
    symbols = np.array([0, 0, 0, 1, 0, -1, 0, 0, 2, 0, 0, 0, -1, 0, 0, 1] * 4, np.int8)
    lowest, size, counts = "7f", "03", "081b0804"  # -1; 4; 8, 44, 8 and 4 as minifloats
    words = "71928adb9abc2092141c63a955150000"
    assert encode_symbols(symbols).hex() == lowest + size + counts + words
