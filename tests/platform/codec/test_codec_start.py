"""The first symbols as the coder's start: what they cost, that they come back, what is refused."""

import contextlib
import struct

import numpy as np
import pytest
from feature_codecs import KINDS, frozen, tokens
from hypothesis import given, settings
from hypothesis import strategies as st

from edgestill.codec import HEADER_BYTES
from edgestill.codec.frozen.start import FIRST, MOST_BITS, Start
from edgestill.codec.frozen.stream import Stream, read, written
from edgestill.codec.tables import LARGEST_SYMBOL, TableFamily, integer_counts
from edgestill.errors import FrameError

NARROW = (-1, integer_counts(np.array([0.1, 0.8, 0.1])))
WIDE = (-20, integer_counts(np.full(41, 0.9 / 41)))
FAMILY = TableFamily.of([NARROW, WIDE, (5, integer_counts(np.array([1.0])))])
PAIRS = st.lists(
    st.tuples(st.integers(-LARGEST_SYMBOL, LARGEST_SYMBOL) | st.integers(-3, 3), st.integers(0, 2)),
    max_size=3 * FIRST,
)


def arrays(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    symbols = np.array([symbol for symbol, _ in pairs], np.int32)
    return symbols, np.array([table for _, table in pairs], np.uint8)


@settings(deadline=None)
@given(PAIRS)
def test_all_symbols_come_back_from_a_stream(pairs):
    symbols, tables = arrays(pairs)
    stream = Stream(FAMILY)
    again = read(written(stream.begun(symbols, tables)))
    assert np.array_equal(stream.ended(again, tables), symbols)


@settings(deadline=None)
@given(PAIRS)
def test_a_start_is_less_than_a_bit_above_what_its_tables_say(pairs):
    symbols, tables = arrays(pairs[:FIRST])
    state = Start(FAMILY).state(symbols, tables)
    assert state.bit_length() - 1 <= MOST_BITS
    assert state.bit_length() - 1 < FAMILY.bits(symbols, tables) + 1


def test_a_golden_message_never_changes():
    symbols = np.array([0, 1, -1, 0, 3, -20, 900, 5], np.int32)
    tables = np.array([0, 0, 0, 0, 1, 1, 1, 2])
    assert Start(FAMILY).state(symbols, tables) == GOLDEN_STATE
    stream, times = Stream(FAMILY), 6
    coder = stream.begun(np.tile(symbols, times), np.tile(tables, times))
    assert written(coder).hex() == GOLDEN_STREAM


GOLDEN_STATE = 125344301629
GOLDEN_STREAM = "bd726aa5ae07cd1640ef3367e5811e21c047057f4effb7e8a5111f8c"


@settings(max_examples=150, deadline=None)
@given(state=st.integers(1, 1 << 1100), tables=st.lists(st.integers(0, 2), max_size=FIRST))
def test_any_state_is_refused_or_the_one_of_its_symbols(state, tables):
    start, under = Start(FAMILY), np.array(tables, np.uint8)
    with contextlib.suppress(FrameError):
        assert start.state(start.symbols(state, under), under) == state


def test_what_lies_below_the_first_symbols_is_refused():
    symbols, tables = arrays([(0, 0)] * 100)
    stream = Stream(FAMILY)
    for more in (1, 40, 100):
        with pytest.raises(FrameError, match="do not end"):
            stream.ended(stream.begun(np.tile(symbols, 9), np.tile(tables, 9)), tables[more:])
    long = read(b"\x01" * 4096)
    with pytest.raises(FrameError, match="do not end"):
        stream.ended(long, tables)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 2, 16])
def test_a_frame_is_within_two_bytes_of_its_tables(kind, count):
    codec = frozen(kind)
    over = []
    for seed in range(20):
        sent = tokens(count, seed)
        parts = codec.symbols(sent, 1).parts
        bits = sum(family.bits(symbols, tables) for family, symbols, tables in parts)
        over.append(len(codec.encode(sent, 1)) - HEADER_BYTES - bits / 8)
    # A mixture's choice of experts is beside the symbols, half a byte a token at most.
    assert 0 < np.mean(over) < 1.6 + 0.3 * count * (kind == "mixture")


def test_a_frame_of_the_form_whose_coder_starts_empty_is_refused():
    codec = frozen("hyperprior")
    frame = bytearray(codec.encode(tokens(8)))
    struct.pack_into("<B", frame, 5, 2)
    with pytest.raises(FrameError, match="codec 2; expected"):
        codec.decode(bytes(frame))
