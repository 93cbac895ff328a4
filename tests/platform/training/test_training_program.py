"""Traced programs: the same bits as the function, run after run, in memory that is used again."""

import torch

from edgestill.training import computing
from edgestill.training.program import Program


def busy(x, w):
    """Views, writes into slices, constants, outputs that share memory, a value used late."""
    early = x @ w
    padded = x.new_zeros(len(x), 6)
    padded[:, 1:5] = torch.relu(early)
    padded[:, 2:4] += early[:, :2]
    table = torch.arange(6.0) * 0.5
    normal = torch.nn.functional.layer_norm(padded + table, [6])
    pooled, places = torch.max(normal.view(len(x), 2, 3), dim=2)
    return pooled.t(), (places * 2).float() + early[:, :1], torch.sigmoid(early) * 2.0


def test_a_program_gives_the_functions_bits_for_new_inputs():
    torch.manual_seed(0)
    program = Program(busy, [torch.randn(5, 3), torch.randn(3, 4)])
    for _ in range(3):
        inputs = [torch.randn(5, 3), torch.randn(3, 4)]
        kept = [one.clone() for one in inputs]
        results = program.run(inputs)
        for found, expected in zip(results, busy(*inputs), strict=True):
            assert torch.equal(found, expected)
        assert all(map(torch.equal, inputs, kept))


def test_results_stay_as_they_are_after_the_next_run():
    program = Program(lambda x: [torch.exp(x), x + 1], [torch.zeros(8)])
    first = program.run([torch.zeros(8)])
    program.run([torch.ones(8)])
    assert torch.equal(first[0], torch.ones(8))
    first[1].add_(1)
    assert torch.equal(program.run([torch.zeros(8)])[1], torch.ones(8))


def test_gradients_taken_inside_are_traced():
    def gradient(x):
        leaf = x.detach().requires_grad_()
        return list(torch.autograd.grad((leaf.relu() ** 2).sum(), [leaf]))

    program = Program(gradient, [torch.randn(9)])
    x = torch.randn(9)
    assert torch.equal(program.run([x])[0], gradient(x)[0])


def test_a_pooled_gradient_that_lies_otherwise_than_the_values_gives_the_same_bits():
    def gradient(x):
        leaf = x.detach().requires_grad_()
        # Flattened, its gradient comes back channels first.
        pooled = torch.nn.functional.max_pool2d(leaf.relu(), 2).flatten(1)
        return list(torch.autograd.grad((pooled.sin() * pooled).sum(), [leaf]))

    def drawn():
        return torch.randn(3, 5, 4, 6).contiguous(memory_format=torch.channels_last)

    program = Program(gradient, [drawn()])
    for _ in range(2):
        x = drawn()
        assert torch.equal(program.run([x])[0], gradient(x)[0])


def test_what_cannot_be_traced_is_computed_all_the_same_and_told_once(caplog):
    def by_value(fields):
        scale = 2.0 if float(fields["weights"].sum()) > 1.0 else 3.0
        return fields["weights"] * scale, fields["weights"]

    fields = {"weights": torch.ones(2, 4)}
    for _ in range(2):
        traced = computing._Traced()
        for _ in range(2):
            assert torch.equal(traced(by_value, fields)[0], torch.full((2, 4), 2.0))
    assert caplog.text.count("computed untraced") == 1
