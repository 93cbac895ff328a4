import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgestill.knowledge import fit_to_link
from edgestill.knowledge.link import OVERHEAD_BYTES


@settings(deadline=None)
@given(
    samples=st.integers(0, 70),
    bandwidth=st.floats(0, 1e5),
    deadline=st.floats(0, 1.0),
    compute=st.floats(0, 1.0),
)
def test_the_frame_arrives_in_time(bank, samples, bandwidth, deadline, compute):
    layout = bank.layout(bank.kinds)
    fit = fit_to_link(
        layout,
        samples,
        bandwidth_bytes_per_s=bandwidth,
        deadline_s=deadline,
        compute_s=compute,
    )
    assert 0 <= fit.samples <= samples
    if fit.samples:
        records = bank.records(np.arange(fit.samples), bank.kinds)
        levels = np.ones(fit.samples, np.uint8)
        frame = layout.join(records, levels, lower_rate=fit.lower_rate)
        assert len(frame) <= bandwidth * (deadline - compute)


@pytest.mark.parametrize(
    ("room_bytes", "expected"),
    [(math.inf, (50, False)), (2000, (50, False)), (1999, (50, True)), (440, (20, True))],
)
def test_the_largest_rate_that_fits_is_taken(bank, room_bytes, expected):
    layout = bank.layout(bank.kinds)
    # And a byte for what each counts.
    assert (layout.record_bytes, layout.coarse_bytes) == (39, 20)
    bandwidth = 1e3
    fit = fit_to_link(
        layout,
        50,
        bandwidth_bytes_per_s=bandwidth,
        deadline_s=2.0 + (room_bytes + OVERHEAD_BYTES) / bandwidth,
        compute_s=2.0,
    )
    assert (fit.samples, fit.lower_rate) == expected
