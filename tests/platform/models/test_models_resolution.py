import pytest
import torch

from edgestill.models import reduce_resolution

INPUTS = {
    "visual": torch.arange(32.0).reshape(1, 2, 4, 4),
    "audio": torch.arange(18.0).reshape(1, 1, 3, 6),
    "sensor": torch.arange(10.0).reshape(1, 2, 5),
}


def test_a_share_of_one_changes_nothing_and_unnamed_kinds_are_dropped():
    reduced = reduce_resolution(INPUTS, {"sensor": 1.0, "visual": 1.0})
    assert set(reduced) == {"sensor", "visual"}
    assert all(torch.equal(reduced[kind], INPUTS[kind]) for kind in reduced)


def test_a_kind_that_is_absent_is_not_invented():
    assert set(reduce_resolution({"visual": INPUTS["visual"]}, {"visual": 1, "audio": 1})) == {
        "visual"
    }


def test_visual_shrinks_along_both_axes():
    half = reduce_resolution(INPUTS, {"visual": 0.5})["visual"]
    assert half[0, 0].tolist() == [[2.5, 4.5], [10.5, 12.5]]


def test_audio_keeps_its_frequencies():
    half = reduce_resolution(INPUTS, {"audio": 0.5})["audio"]
    assert half[0, 0].tolist() == [[0.5, 2.5, 4.5], [6.5, 8.5, 10.5], [12.5, 14.5, 16.5]]


def test_a_rest_at_the_end_is_averaged_over_what_there_is():
    half = reduce_resolution(INPUTS, {"sensor": 0.5})["sensor"]
    assert half[0].tolist() == [[0.5, 2.5, 4.0], [5.5, 7.5, 9.0]]


@pytest.mark.parametrize(
    ("share", "length"), [(0.9, 12), (0.5, 6), (0.34, 4), (0.25, 3), (0.05, 1)]
)
def test_the_factor_is_the_nearest_to_the_share(share, length):
    assert reduce_resolution({"sensor": torch.zeros(1, 1, 12)}, {"sensor": share})[
        "sensor"
    ].shape == (1, 1, length)
