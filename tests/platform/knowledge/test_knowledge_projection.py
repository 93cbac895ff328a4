import numpy as np
import pytest

from edgestill.knowledge import fit_projection, project


def inputs_of(count=50, seed=0, loud=1.0):
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(count, 2))
    visual = hidden[:, :1] @ rng.normal(size=(1, 200)) + 0.1 * rng.normal(size=(count, 200))
    sensor = loud * (hidden[:, 1:] @ rng.normal(size=(1, 6)) + 0.1 * rng.normal(size=(count, 6)))
    return {
        "visual": visual.reshape(count, 1, 10, 20).astype(np.float32),
        "sensor": sensor.reshape(count, 2, 3).astype(np.float32),
    }


def test_median_public_sample_has_norm_one_and_the_mean_is_the_origin():
    inputs = inputs_of()
    projections = project(fit_projection(inputs, width=4), inputs)
    assert projections.shape == (50, 4)
    assert projections.dtype == np.float32
    assert np.median(np.linalg.norm(projections, axis=1)) == pytest.approx(1.0, rel=1e-4)
    np.testing.assert_allclose(projections.mean(axis=0), 0.0, atol=1e-5)


def test_a_kind_weighs_no_more_for_its_scale_or_size():
    plain, loud = inputs_of(), inputs_of(loud=1000.0)
    np.testing.assert_allclose(
        project(fit_projection(plain, width=2), plain),
        project(fit_projection(loud, width=2), loud),
        atol=1e-3,
    )
    # Both hidden factors, one per kind, are found in two numbers.
    projections = project(fit_projection(plain, width=2), plain)
    assert np.linalg.cond(projections) < 3


def test_projection_is_affine_and_the_same_each_time():
    inputs = inputs_of()
    first, second = fit_projection(inputs, width=3), fit_projection(inputs, width=3)
    assert first.fingerprint == second.fingerprint
    assert first.fingerprint != fit_projection(inputs_of(seed=1), width=3).fingerprint
    half = {kind: 0.5 * array[:1] + 0.5 * array[1:2] for kind, array in inputs.items()}
    rows = project(first, inputs)
    np.testing.assert_allclose(project(first, half)[0], (rows[0] + rows[1]) / 2, atol=1e-5)


def test_a_constant_kind_does_no_harm():
    inputs = inputs_of() | {"sensor": np.ones((50, 2, 3), np.float32)}
    assert np.isfinite(project(fit_projection(inputs, width=2), inputs)).all()


def test_wrong_inputs_are_refused():
    inputs = inputs_of()
    projection = fit_projection(inputs, width=2)
    with pytest.raises(ValueError, match="needs the inputs of sensor"):
        project(projection, {"visual": inputs["visual"]})
    with pytest.raises(ValueError, match="206"):
        project(projection, inputs | {"sensor": inputs["visual"]})
    with pytest.raises(ValueError, match="51 components"):
        fit_projection(inputs, width=51)
