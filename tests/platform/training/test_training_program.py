"""Traced programs: the same bits as the function, run after run, in memory that is used again."""

import torch

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
