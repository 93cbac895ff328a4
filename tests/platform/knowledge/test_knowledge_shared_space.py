import numpy as np
import pytest

from edgestill.knowledge.shared_space import (
    at_precision,
    fit_shared_space,
    precision_bits,
)

RNG = np.random.default_rng(5)
COMMON = RNG.standard_normal((400, 3))


def _kind(features: int, own: int) -> np.ndarray:
    mixed = COMMON @ RNG.standard_normal((3, features))
    noise = RNG.standard_normal((400, own)) @ RNG.standard_normal((own, features))
    return (mixed + noise + 2.0).astype(np.float32)


def test_kinds_of_different_width_meet_where_they_agree():
    features = {"visual": _kind(12, 6), "audio": _kind(20, 8), "sensor": _kind(9, 4)}
    space = fit_shared_space(features, 6)
    assert space.significance[:3].min() > 0.8
    assert space.significance[3:].max() < 0.3
    seen, heard = (space.project(kind, features[kind])[:, :3] for kind in ("visual", "audio"))
    cosines = (seen * heard).sum(1) / np.linalg.norm(seen, axis=1) / np.linalg.norm(heard, axis=1)
    assert np.median(cosines) > 0.9


def test_kinds_that_have_nothing_in_common_have_no_significant_dimension():
    features = {
        kind: RNG.standard_normal((2000, 4)).astype(np.float32) for kind in ("audio", "visual")
    }
    assert fit_shared_space(features, 4).significance.max() < 0.15


def test_significance_falls_and_missing_dimensions_are_zero():
    features = {"visual": _kind(3, 1), "audio": _kind(3, 1)}
    space = fit_shared_space(features, 10)
    assert np.all(np.diff(space.significance) <= 1e-6)
    assert space.significance.shape == (10,)
    assert not space.project("audio", features["audio"])[:, 6:].any()


def test_a_single_kind_gets_its_own_principal_directions():
    features = {"visual": (RNG.standard_normal((300, 4)) * [8, 4, 2, 1]).astype(np.float32)}
    significance = fit_shared_space(features, 4).significance
    assert significance[0] == pytest.approx(1.0)
    assert np.all(np.diff(significance) < 0)


def test_no_kinds_or_one_sample_are_refused():
    with pytest.raises(ValueError, match="at least one kind"):
        fit_shared_space({}, 3)
    with pytest.raises(ValueError, match="two samples"):
        fit_shared_space({"audio": np.zeros((1, 3), np.float32)}, 3)


def test_more_significant_dimensions_get_more_bits_and_none_is_wasted():
    bits = precision_bits(np.array([1.0, 0.25, 0.25, 0.0], np.float32), 3.0)
    assert bits.tolist() == [5, 4, 3, 0] or bits.tolist() == [5, 3, 4, 0]
    assert precision_bits(np.zeros(4, np.float32), 3.0).sum() == 0
    assert precision_bits(np.ones(2, np.float32), 99.0).tolist() == [8, 8]


def test_precision_by_significance_beats_the_same_bits_spread_evenly():
    significance = np.array([1.0, 0.3, 0.1, 0.01, 0.01, 0.01], np.float32)
    features = (RNG.standard_normal((500, 6)) * np.sqrt(significance)).astype(np.float32)
    reach = np.abs(features).max(axis=0)

    def error(bits):
        return float(np.square(at_precision(features, bits, reach) - features).mean())

    assert error(precision_bits(significance, 3.0)) < 0.7 * error(np.full(6, 3))
