import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from edgestill.errors import CheckpointError, RunError
from edgestill.knowledge import KnowledgeBank, load_bank, project, save_bank
from edgestill.models import Output


def test_outputs_are_the_teachers_by_sample_index(bank, dataset, teacher):
    inputs = {kind: torch.from_numpy(array) for kind, array in dataset.inputs(bank.indices).items()}
    with torch.inference_mode():
        expected = teacher(inputs)
    np.testing.assert_allclose(bank.logits, expected.logits.numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(bank.labels, dataset.labels[bank.indices])
    np.testing.assert_allclose(
        bank.styles,
        project(bank.projection, dataset.inputs(bank.indices), bank.labels),
        rtol=1e-4,
        atol=1e-5,
    )
    assert (len(bank), bank.classes, bank.kinds) == (70, 4, ("visual", "sensor"))


def test_reduced_embeddings_keep_the_leading_distances(bank, dataset, teacher):
    inputs = {kind: torch.from_numpy(array) for kind, array in dataset.inputs(bank.indices).items()}
    with torch.inference_mode():
        wide = teacher(inputs).embeddings["sensor"].numpy()
    values = np.linalg.svd(wide - wide.mean(axis=0), compute_uv=False)
    reduced = bank.embeddings["sensor"]
    assert reduced.shape == (70, 6)
    np.testing.assert_allclose(np.linalg.norm(reduced, axis=0), values[:6], rtol=1e-3)


class Recorder(nn.Module):
    """Gives some logits, or NaN, and records the conditions of each pass."""

    def __init__(self, value: float = 1.0) -> None:
        super().__init__()
        self.value = value
        self.seen: list[tuple[bool, bool, int]] = []

    def forward(self, inputs):
        size = len(inputs["visual"])
        self.seen.append((self.training, torch.is_inference_mode_enabled(), size))
        table = inputs["visual"].flatten(1)[:, :3] * self.value
        return Output(logits=table, embeddings={"visual": table}, fused=table, gates={})


def test_teacher_runs_once_per_sample_in_evaluation_mode(bank, dataset):
    model = Recorder().train()
    built = KnowledgeBank.build(
        model, dataset, bank.indices, bank.projection, width=8, batch_size=32
    )
    assert model.seen == [(False, True, 32), (False, True, 32), (False, True, 6)]
    assert model.training
    # A teacher narrower than the student leaves the rest at 0.
    assert built.embeddings["visual"].shape == (70, 8)
    assert not built.embeddings["visual"][:, 3:].any()


def test_kinds_told_in_one_space_agree_where_kinds_told_apart_do_not(bank, dataset):
    class Likeminded(torch.nn.Module):
        def forward(self, inputs):
            seen = inputs["visual"].flatten(1)[:, :3]
            heard = seen @ torch.tensor([[0.0, 2.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
            tables = {"visual": seen, "audio": heard}
            return Output(logits=seen, embeddings=tables, fused=seen, gates={})

    def told(shared):
        built = KnowledgeBank.build(
            Likeminded(), dataset, bank.indices, bank.projection, width=3, shared=shared
        )
        return built.embeddings["visual"], built.embeddings["audio"]

    np.testing.assert_allclose(*told(True), atol=0.05)
    assert np.abs(np.subtract(*told(False))).max() > 0.3


def test_a_teacher_that_diverged_is_refused(bank, dataset):
    with pytest.raises(RunError, match="NaN"):
        KnowledgeBank.build(Recorder(np.nan), dataset, bank.indices, bank.projection, width=3)


def test_saved_bank_comes_back(bank, dataset, tmp_path):
    path = tmp_path / "bank.safetensors"
    save_bank(bank, path)
    loaded = load_bank(path, dataset)
    np.testing.assert_array_equal(loaded.indices, bank.indices)
    np.testing.assert_array_equal(loaded.logits, bank.logits)
    np.testing.assert_array_equal(loaded.styles, bank.styles)
    assert loaded.kinds == bank.kinds
    assert loaded.fingerprint == bank.fingerprint
    assert loaded.projection.fingerprint == bank.projection.fingerprint
    positions = np.array([3, 1])
    assert loaded.frame(positions, ["sensor"]) == bank.frame(positions, ["sensor"])
    assert [file.name for file in tmp_path.iterdir()] == ["bank.safetensors"]


def test_bank_of_another_dataset_is_refused(bank, dataset, tmp_path):
    path = tmp_path / "bank.safetensors"
    save_bank(bank, path)
    other = dataclasses.replace(dataset, digest="f" * 16)
    with pytest.raises(CheckpointError, match="made from dataset 0123456789abcdef"):
        load_bank(path, other)


@pytest.mark.parametrize("damage", ["missing", "empty", "truncated", "foreign"])
def test_damaged_bank_is_refused(bank, dataset, tmp_path, damage):
    path = tmp_path / "bank.safetensors"
    save_bank(bank, path)
    whole = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        parts = {"empty": b"", "truncated": whole[: len(whole) // 2], "foreign": b"\x80\x04." * 50}
        path.write_bytes(parts[damage])
    with pytest.raises(CheckpointError, match=r"bank\.safetensors"):
        load_bank(path, dataset)


def test_bank_with_indices_outside_the_dataset_is_refused(bank, dataset, tmp_path):
    path = tmp_path / "bank.safetensors"
    save_bank(dataclasses.replace(bank, indices=bank.indices + 1000), path)
    with pytest.raises(CheckpointError, match="indices lie outside"):
        load_bank(path, dataset)
