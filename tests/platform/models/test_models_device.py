"""A process trains where it was told to, and on its CPU where nobody said."""

import pytest
import torch

from edgestill.models import training_device, use_device
from edgestill.models.device import VARIABLE


@pytest.fixture(autouse=True)
def unsaid(monkeypatch):
    monkeypatch.setenv(VARIABLE, "cpu")
    monkeypatch.delenv(VARIABLE)


def test_the_cpu_is_used_where_nobody_said():
    assert training_device() == torch.device("cpu")


@pytest.mark.parametrize(("seen", "device"), [(True, "cuda"), (False, "cpu")])
def test_cuda_is_used_where_torch_sees_it(monkeypatch, seen, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: seen)
    use_device("cuda")
    assert training_device() == torch.device(device)


def test_the_environment_decides_too(monkeypatch):
    monkeypatch.setenv(VARIABLE, "cuda")
    assert training_device() == torch.device("cuda")
