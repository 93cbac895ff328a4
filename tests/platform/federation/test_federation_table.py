"""What devices report is kept in columns, and nothing of it gets lost or rounded."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgestill.errors import FrameError
from edgestill.federation.table import FigureTable, TableBuilder

NUMBERS = st.integers(-(2**53), 2**53) | st.floats(-1e100, 1e100)
ROWS = st.dictionaries(
    st.integers(0, 500),
    st.dictionaries(st.sampled_from(["bytes", "flops", "loss", "status"]), NUMBERS),
    max_size=12,
)


@given(rows=ROWS)
def test_a_table_gives_back_what_was_entered_in_order_of_device(rows):
    table = FigureTable.of(rows)
    assert list(table) == sorted(rows)
    for device, figures in rows.items():
        assert dict(table[device]) == figures
    for name in ("bytes", "loss"):
        assert table.has(name).tolist() == [name in rows[device] for device in table]
        expected = [float(rows[device].get(name, 0)) for device in table]
        assert table.column(name).astype(float).tolist() == expected


@given(rows=ROWS, lot=st.randoms())
def test_the_order_of_arrival_does_not_matter(rows, lot):
    shuffled = list(rows)
    lot.shuffle(shuffled)
    builder = TableBuilder(list(rows))
    for device in shuffled:
        builder.enter(device, rows[device])
    table, straight = builder.table(), FigureTable.of(rows)
    assert {d: dict(row) for d, row in table.items()} == {
        d: dict(row) for d, row in straight.items()
    }
    for name in straight.columns:
        assert table.total(name) == straight.total(name) or np.isnan(straight.total(name))


def test_whole_numbers_are_added_exactly_and_stay_whole():
    large = 2**53 + 1
    table = FigureTable.of({1: {"bytes": large}, 2: {"bytes": 2}, 3: {}})
    assert table.total("bytes") == large + 2
    assert isinstance(table.total("bytes"), int)
    mixed = FigureTable.of({1: {"flops": 3}, 2: {"flops": 0.5}})
    assert mixed.total("flops") == 3.5
    assert table.total("unheard_of") == 0


def test_a_mean_is_of_those_who_reported():
    table = FigureTable.of({1: {"loss": 1.0}, 2: {}, 3: {"loss": 4.0}})
    assert table.mean("loss") == 2.5
    assert table.mean("unheard_of") == 0.0
    assert table.where(np.array([False, True, True])).mean("loss") == 4.0


def test_who_did_not_report_is_not_in_the_table():
    builder = TableBuilder([5, 3, 9])
    builder.enter(9, {"loss": 1.0})
    table = builder.table()
    assert (len(builder), list(table), table.devices.tolist()) == (1, [9], [9])
    for device in (3, 4, 10):
        with pytest.raises(KeyError):
            table[device]


@pytest.mark.parametrize("value", [[1.0, 2.0], "much", None, 2**70])
def test_what_is_no_number_is_refused_and_the_device_left_out(value):
    builder = TableBuilder([1, 2])
    with pytest.raises(FrameError, match="figure loss"):
        builder.enter(1, {"status": 0, "loss": value})
    builder.enter(2, {"status": 1})
    assert {device: dict(row) for device, row in builder.table().items()} == {2: {"status": 1}}
