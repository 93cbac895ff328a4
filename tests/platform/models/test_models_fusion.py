"""Students and teachers: any subset of modalities, nested widths, partial resolutions."""

from itertools import chain, combinations

import numpy as np
import pytest
import torch

from edgestill.models import ModelFamily, leading_block, load_arrays, student, teacher

SHAPES = {"visual": (1, 8, 8), "audio": (1, 16, 12), "sensor": (6, 20)}
KINDS = tuple(SHAPES)
SUBSETS = list(chain.from_iterable(combinations(KINDS, n) for n in (1, 2, 3)))


def batch(kinds=KINDS, size=5):
    torch.manual_seed(1)
    full = {kind: torch.randn(size, *shape) for kind, shape in SHAPES.items()}
    return {kind: full[kind] for kind in kinds}


@pytest.fixture(scope="module")
def family():
    return ModelFamily(student, SHAPES, 7)


@pytest.mark.parametrize("factory", [student, teacher])
@pytest.mark.parametrize("kinds", SUBSETS)
def test_any_subset_of_modalities_works(factory, kinds):
    output = factory(SHAPES, 7)(batch(kinds))
    assert output.logits.shape == (5, 7)
    assert tuple(output.embeddings) == kinds == tuple(output.gates)
    assert len({embedding.shape for embedding in output.embeddings.values()}) == 1
    assert output.fused.shape == output.embeddings[kinds[0]].shape
    assert all(0 < gate.item() < 1 for gate in output.gates.values())


def test_an_absent_modality_takes_away_its_evidence_and_nothing_else():
    torch.manual_seed(0)
    module = student(SHAPES, 7).eval()
    inputs = batch()
    bias = module.classifier.bias
    alone = [module({kind: inputs[kind]}).logits - bias for kind in KINDS]
    torch.testing.assert_close(module(inputs).logits, sum(alone) + bias)


def test_a_model_of_which_all_modalities_are_missing_says_which_it_knows():
    module = student({"visual": SHAPES["visual"], "audio": SHAPES["audio"]}, 7)
    with pytest.raises(ValueError, match="one or more of visual, audio, got sensor"):
        module(batch(("sensor",)))


def test_one_encoder_does_not_see_the_others():
    module = student(SHAPES, 7)
    embeddings = module(batch()).embeddings
    for kind in KINDS:
        torch.testing.assert_close(embeddings[kind], module(batch((kind,))).embeddings[kind])


@pytest.mark.parametrize("width", [0.5, 0.75, 0.01])
def test_narrow_arrays_are_leading_blocks(family, width):
    full, narrow = family.initial_arrays(0), family.variant(dict.fromkeys(KINDS, 1.0), width)
    block = leading_block(full, narrow.shapes)
    assert set(narrow.shapes) == set(full)
    shrunk = 0
    for name, array in block.items():
        corner = full[name][tuple(slice(n) for n in array.shape)]
        np.testing.assert_array_equal(array, corner)
        assert array.flags.c_contiguous
        assert not np.shares_memory(array, full[name])
        shrunk += array.size < full[name].size
    assert shrunk
    module = family.module(width)
    load_arrays(module, block)
    assert {n: tuple(t.shape) for n, t in module.state_dict().items()} == dict(narrow.shapes)
    assert module(batch()).logits.shape == (5, 7)


def test_a_variant_touches_the_kinds_in_use_and_no_others(family):
    for kinds in SUBSETS:
        names = family.variant(dict.fromkeys(kinds, 1.0), 1.0).shapes
        for kind in KINDS:
            own = [name for name in names if f".{kind}" in name]
            assert bool(own) == (kind in kinds)
        assert {"classifier.weight", "classifier.bias"} <= set(names)


def test_variants_and_modules_are_worked_out_once(family):
    shares = {"audio": 0.5, "visual": 1.0}
    first = family.variant(shares, 0.75)
    assert family.variant(dict(reversed(shares.items())), 0.75) is first
    assert family.module(0.75) is family.module(0.75)
    assert family.variant({"visual": 1.0}, 0.75) is not first


def test_initial_arrays_depend_on_the_seed_alone(family):
    torch.manual_seed(5)
    first, state = family.initial_arrays(3), torch.random.get_rng_state()
    torch.manual_seed(6)
    second, other = family.initial_arrays(3), family.initial_arrays(4)
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert any(not np.array_equal(first[name], other[name]) for name in first)
    # Nobody else's random stream has moved.
    torch.manual_seed(5)
    assert torch.equal(torch.random.get_rng_state(), state)
