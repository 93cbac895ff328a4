"""A user's own model by dotted name: what works, and what the messages say when it does not."""

import own_models
import pytest
import torch

from edgestill.errors import ConfigurationError
from edgestill.models import ModelFamily, arrays_of, load_arrays, load_factory, student

SHAPES = {"visual": (1, 4, 4), "sensor": (2, 5)}
BOTH = dict.fromkeys(SHAPES, 1.0)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("own_models.flat", "expected package.module:attribute, got 'own_models.flat'"),
        ("no_such_module:flat", "cannot be imported: No module named 'no_such_module'"),
        ("own_models:flut", "cannot be imported: module 'own_models' has no attribute 'flut'"),
        ("own_models:not_callable", "is not callable"),
        (":flat", "expected package.module:attribute"),
        (".models:student", "expected package.module:attribute"),
        ("own_models:", "expected package.module:attribute"),
    ],
)
def test_a_wrong_name_is_explained(name, reason):
    with pytest.raises(ConfigurationError) as caught:
        load_factory(name, key="student.factory")
    assert str(caught.value).startswith("student.factory: ")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_names_lead_to_factories():
    assert load_factory("own_models:flat", key="k") is own_models.flat
    assert load_factory("edgestill.models:student", key="k") is student


def test_a_model_that_is_not_nested_is_refused_by_name():
    family = ModelFamily(own_models.grows_when_narrow, SHAPES, 3)
    with pytest.raises(ConfigurationError, match=r"student.factory: .* at width 0.5"):
        family.variant(BOTH, 0.5)


@pytest.mark.parametrize(
    ("factory", "reason"),
    [
        (own_models.rigid, "expected 6 columns got 3"),
        (own_models.greedy, "'sensor'"),
    ],
)
def test_a_model_that_cannot_do_with_less_is_refused(factory, reason):
    family = ModelFamily(factory, {"visual": (1, 6, 6), "sensor": (2, 5)}, 3)
    with pytest.raises(ConfigurationError) as caught:
        family.variant({"visual": 0.5}, 0.5)
    message = str(caught.value)
    assert message.startswith("student.factory: the model fails on {'visual': 0.5} at width 0.5: ")
    assert reason in message
    assert "\n" not in message


def test_a_scalar_parameter_and_running_statistics_travel():
    family = ModelFamily(own_models.flat, SHAPES, 3)
    variant = family.variant(BOTH, 1.0)
    assert variant.shapes["scale"] == ()
    assert variant.shapes["norms.visual.running_mean"] == (5,)
    assert "norms.visual.num_batches_tracked" not in variant.shapes
    # What is not in the state is not trained.
    assert "shift" not in variant.shapes
    assert set(variant.shapes) == set(family.initial_arrays(0))


def test_running_statistics_of_absent_kinds_stay_out():
    names = ModelFamily(own_models.flat, SHAPES, 3).variant({"sensor": 1.0}, 0.5).shapes
    assert "norms.sensor.running_var" in names
    assert not [name for name in names if "visual" in name]


def test_arrays_are_copies_and_load_back():
    module, other = own_models.flat(SHAPES, 3), own_models.flat(SHAPES, 3)
    arrays = arrays_of(module)
    with torch.no_grad():
        module.scale.fill_(9.0)
    assert arrays["scale"] == 1.5
    load_arrays(other, {"scale": arrays["scale"] + 1, "head.bias": arrays["head.bias"] * 0 + 4})
    assert other.scale.item() == 2.5
    assert other.head.bias.tolist() == [4.0, 4.0, 4.0]
