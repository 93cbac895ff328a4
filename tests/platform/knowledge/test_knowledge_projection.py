import numpy as np
import pytest

from edgestill.knowledge import fit_projection, project
from edgestill.knowledge.directions import leading_directions, user_means

CLASSES, USERS = 3, 6


def public(seed=0, loud=1.0):
    """Each user has a mark of their own in both kinds; classes and samples move far more."""
    rng = np.random.default_rng(seed)
    labels, users = np.arange(240) % CLASSES, np.arange(240) // 40
    marks, places = rng.normal(size=(USERS, 2)), rng.normal(0, 5, size=(CLASSES, 40))
    visual = rng.normal(size=(240, 40)) * np.linspace(3, 0.1, 40) + places[labels]
    visual[:, -1] += marks[users, 0]
    sensor = rng.normal(size=(240, 8)) * np.linspace(3, 0.1, 8) + places[labels][:, :8]
    sensor[:, -1] += marks[users, 1]
    inputs = {
        "visual": visual.reshape(240, 1, 5, 8).astype(np.float32),
        "sensor": (loud * sensor).reshape(240, 2, 4).astype(np.float32),
    }
    return inputs, labels, users, marks


def fitted(width=2, seed=0, loud=1.0, with_users=True):
    inputs, labels, users, _ = public(seed, loud)
    return fit_projection(
        inputs, labels, users if with_users else None, classes=CLASSES, width=width
    )


def test_the_class_is_taken_off_and_every_kind_has_the_same_share_of_the_norm():
    inputs, labels, _, _ = public()
    projections = project(fitted(), inputs, labels)
    assert (projections.shape, projections.dtype) == ((240, 4), np.float32)
    for label in range(CLASSES):
        np.testing.assert_allclose(projections[labels == label].mean(axis=0), 0.0, atol=1e-4)
    for part in np.split(projections, 2, axis=1):
        assert np.square(part).sum(axis=1).mean() == pytest.approx(0.5, rel=1e-3)


def test_with_users_it_finds_what_tells_them_apart_however_little_that_varies():
    inputs, labels, users, marks = public()
    told = user_means(project(fitted(width=1), inputs, labels), users)[::40]
    for kind in range(2):
        assert abs(np.corrcoef(told[:, kind], marks[:, kind])[0, 1]) > 0.98
    blind = user_means(project(fitted(width=1, with_users=False), inputs, labels), users)[::40]
    assert abs(np.corrcoef(blind[:, 0], marks[:, 0])[0, 1]) < 0.9


def test_samples_of_one_user_spread_by_one_along_each_direction():
    rng = np.random.default_rng(0)
    users = np.arange(400) // 40
    rows = 3 * rng.normal(size=(10, 5))[users] + rng.normal(size=(400, 5)) * [4, 2, 1, 1, 0.5]
    rows -= rows.mean(axis=0)
    scores = rows @ leading_directions(rows.astype(np.float32), users, 3).T
    spread = (scores - user_means(scores, users)).std(axis=0)
    # A little less, for the ridge.
    assert (spread > 0.75).all()
    assert (spread < 1.05).all()


def test_a_kind_weighs_no_more_for_its_scale():
    inputs, labels, _, _ = public()
    loud, _, _, _ = public(loud=1000.0)
    np.testing.assert_allclose(
        np.abs(project(fitted(), inputs, labels)),
        np.abs(project(fitted(loud=1000.0), loud, labels)),
        atol=1e-2,
    )


def test_projection_is_affine_within_a_class_and_the_same_each_time():
    inputs, labels, _, _ = public()
    first = fitted()
    assert first.fingerprint == fitted().fingerprint != fitted(seed=1).fingerprint
    half = {kind: 0.5 * array[:1] + 0.5 * array[3:4] for kind, array in inputs.items()}
    rows = project(first, inputs, labels)
    np.testing.assert_allclose(
        project(first, half, labels[:1])[0], (rows[0] + rows[3]) / 2, atol=1e-4
    )


@pytest.mark.parametrize("users", [None, np.zeros(240, np.int64), np.arange(240) // 40])
def test_a_constant_kind_does_no_harm(users):
    inputs, labels, _, _ = public()
    inputs["sensor"] = np.ones((240, 2, 4), np.float32)
    projection = fit_projection(inputs, labels, users, classes=CLASSES, width=2)
    assert np.isfinite(project(projection, inputs, labels)).all()


def test_a_class_without_public_samples_and_a_narrow_kind_are_no_trouble():
    inputs, labels, users, _ = public()
    inputs["sensor"] = inputs["sensor"][:, :1, :1]
    projection = fit_projection(inputs, labels, users, classes=CLASSES + 1, width=2)
    assert projection.widths == (2, 1)
    assert np.isfinite(project(projection, inputs, np.full(240, CLASSES))).all()


def test_wrong_inputs_are_refused():
    inputs, labels, _, _ = public()
    with pytest.raises(ValueError, match="needs the inputs of sensor"):
        project(fitted(), {"visual": inputs["visual"]}, labels)
    with pytest.raises(ValueError, match="80 features; the projection 48"):
        project(fitted(), inputs | {"sensor": inputs["visual"]}, labels)
    with pytest.raises(ValueError, match=r"outside 0\.\.2"):
        project(fitted(), inputs, labels + 1)
