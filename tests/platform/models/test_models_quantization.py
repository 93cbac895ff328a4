import pytest
import torch
from torch import nn
from torch.nn import functional

from edgestill.models import bake_weights, quantize_module, student, weight_bytes

SHAPES = {"visual": (1, 8, 8)}


def _student() -> nn.Module:
    torch.manual_seed(0)
    return student(SHAPES, 5)


def _inputs(batch: int = 6) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {"visual": torch.randn(batch, 1, 8, 8, generator=generator)}


def test_every_weight_takes_one_of_so_many_values_by_output_channel():
    module = _student()
    quantize_module(module, 4)
    bake_weights(module)
    for row in module.classifier.weight.detach():
        steps = row / (row.abs().max() / 7)
        assert torch.allclose(steps, steps.round(), atol=1e-4)


def test_eight_bits_are_closer_than_three():
    exact, answers = _student()(_inputs()).logits.detach(), {}
    for bits in (3, 8):
        module = _student()
        quantize_module(module, bits)
        answers[bits] = float((module(_inputs()).logits.detach() - exact).abs().max())
    assert 0.0 < answers[8] < 0.2 * answers[3]


def test_baked_weights_answer_as_the_simulated_ones():
    module = _student()
    quantize_module(module, 4)
    simulated = module(_inputs()).logits
    bake_weights(module)
    assert torch.equal(module(_inputs()).logits, simulated)


def test_a_quantised_module_learns_through_the_rounding():
    module = _student()
    quantize_module(module, 4)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.5)
    losses = []
    for _ in range(30):
        loss = functional.cross_entropy(module(_inputs()).logits, torch.arange(6) % 5)
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.5 * losses[0]


def test_no_sample_depends_on_its_batch():
    module = _student()
    quantize_module(module, 8)
    inputs = _inputs()
    inputs["visual"][0] *= 100.0
    alone = module({"visual": inputs["visual"][3:4]}).logits
    assert torch.allclose(module(inputs).logits[3:4], alone, atol=1e-5)


def test_bytes_count_weights_at_their_bits_and_a_scale_for_each_channel():
    layer = nn.Sequential(nn.Linear(10, 4))
    assert weight_bytes(layer, 32) == 4 * 44
    assert weight_bytes(layer, 8) == 40 + 4 * 4 + 4 * 4
    assert weight_bytes(layer, 4) == 20 + 4 * 4 + 4 * 4


@pytest.mark.parametrize("bits", [1, 9])
def test_bits_out_of_range_are_refused(bits):
    with pytest.raises(ValueError, match="weight_bits"):
        quantize_module(_student(), bits)


def test_quantising_twice_is_refused():
    module = _student()
    quantize_module(module, 8)
    with pytest.raises(ValueError, match="already"):
        quantize_module(module, 8)
