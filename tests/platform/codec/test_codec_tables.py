"""Integer tables: sums, exact costs, escapes, and symbols that come back whatever they are."""

import constriction
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgestill.codec.tables import LARGEST_SYMBOL, TOTAL, TableFamily, integer_counts

SYMBOLS = st.integers(-LARGEST_SYMBOL, LARGEST_SYMBOL) | st.integers(-3, 3)


def family() -> TableFamily:
    narrow = integer_counts(np.array([0.1, 0.8, 0.1]))
    wide = integer_counts(np.full(41, 0.9 / 41))
    return TableFamily.of([(-1, narrow), (-20, wide), (5, integer_counts(np.array([1.0])))])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=300))
def test_counts_are_positive_with_the_sum_of_a_table(masses):
    values = np.array(masses)
    counts = integer_counts(values / max(1.0, values.sum()))
    assert counts.min() >= 1
    assert counts.sum() == TOTAL
    assert len(counts) == len(masses) + 1


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(-LARGEST_SYMBOL, LARGEST_SYMBOL) | st.integers(-3, 3), st.integers(0, 2)
        ),
        min_size=1,
        max_size=200,
    )
)
def test_all_symbols_come_back_in_their_order(pairs):
    symbols = np.array([symbol for symbol, _ in pairs], np.int32)
    tables = np.array([table for _, table in pairs])
    coder = constriction.stream.stack.AnsCoder(np.array([1 << 24], np.uint32))
    family().push(coder, symbols, tables)
    again = constriction.stream.stack.AnsCoder(coder.get_compressed())
    assert np.array_equal(family().pop(again, tables), symbols)
    assert again.get_compressed().tolist() == [1 << 24]


def test_a_stream_costs_what_its_tables_say():
    rng = np.random.default_rng(1)
    tables = rng.integers(0, 2, 20_000)
    symbols = np.where(tables == 0, rng.choice([-1, 0, 1], 20_000, p=[0.1, 0.8, 0.1]), 7)
    symbols = symbols.astype(np.int32)
    coder = constriction.stream.stack.AnsCoder(np.array([1 << 24], np.uint32))
    family().push(coder, symbols, tables)
    assert coder.num_valid_bits() == pytest.approx(family().bits(symbols, tables) + 25, rel=1e-4)


def test_the_stream_of_a_golden_message_never_changes():
    symbols = np.array([0, 1, -1, 0, 3, -20, 900, 5], np.int32)
    tables = np.array([0, 0, 0, 0, 1, 1, 1, 2])
    coder = constriction.stream.stack.AnsCoder(np.array([1 << 24], np.uint32))
    family().push(coder, symbols, tables)
    assert coder.get_compressed().tolist() == GOLDEN


GOLDEN = [459473406, 831739741]


@pytest.mark.parametrize(
    ("lows", "sizes", "counts", "wrong"),
    [
        ([0], [2], [TOTAL, 0], "positive"),
        ([0], [2], [TOTAL, 1], "positive"),
        ([0], [3], [1, TOTAL - 1], "do not fit"),
        ([LARGEST_SYMBOL], [3], [1, 1, TOTAL - 2], "beyond"),
        ([0, 0], [2], [1, TOTAL - 1], "one each"),
    ],
)
def test_what_is_no_table_is_refused(lows, sizes, counts, wrong):
    arrays = (np.array(part, np.int32) for part in (lows, sizes, counts))
    with pytest.raises(ValueError, match=wrong):
        TableFamily(*arrays)
