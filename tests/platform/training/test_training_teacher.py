"""The teacher's training in the cloud: early stop, the best epoch kept, modality dropout."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from edgestill.config import TeacherConfig
from edgestill.data import load_dataset
from edgestill.models import arrays_of, teacher
from edgestill.training import evaluate, fit_centrally
from edgestill.training import teacher as teacher_part


@pytest.fixture(scope="module")
def dataset(tiny_config):
    return load_dataset(tiny_config().data)


def module_of(dataset):
    torch.manual_seed(0)
    shapes = {kind: one.shape for kind, one in dataset.modalities.items()}
    return teacher(shapes, dataset.classes)


def everything(dataset):
    return dict.fromkeys(dataset.kinds, 1.0)


def test_it_learns_and_reports_each_epoch(dataset):
    module = module_of(dataset)
    scores = list(fit_centrally(module, dataset, TeacherConfig(epochs=4, batch_size=8), seed=1))
    assert [score.epoch for score in scores] == [1, 2, 3, 4]
    assert scores[-1].loss < scores[0].loss
    assert evaluate(module, dataset, dataset.splits["test"], everything(dataset)).accuracy > 0.7


def test_the_best_weights_are_kept_and_it_stops_early(dataset, monkeypatch):
    """The validation accuracy is told what to be; each epoch's weights are written down."""
    told = iter([0.4, 0.6, 0.5, 0.6, 0.1, 0.9])
    seen = []

    def scripted(module, *_):
        seen.append(arrays_of(module))
        return SimpleNamespace(accuracy=next(told))

    monkeypatch.setattr(teacher_part, "evaluate", scripted)
    module = module_of(dataset)
    config = TeacherConfig(epochs=6, patience_epochs=3)
    scores = list(fit_centrally(module, dataset, config, seed=1))
    # Equal to the best is no improvement, so three epochs in a row bring none.
    assert [score.best for score in scores] == [True, True, False, False, False]
    kept = arrays_of(module)
    assert all(np.array_equal(kept[name], seen[1][name]) for name in kept)
    assert any(not np.array_equal(kept[name], seen[4][name]) for name in kept)


def test_the_same_seed_repeats(dataset):
    runs = []
    for seed in (1, 1, 2):
        module = module_of(dataset)
        list(fit_centrally(module, dataset, TeacherConfig(epochs=1), seed=seed))
        runs.append(arrays_of(module))
    assert all(np.array_equal(runs[0][name], runs[1][name]) for name in runs[0])
    assert any(not np.array_equal(runs[0][name], runs[2][name]) for name in runs[0])


def test_batches_see_every_subset_of_the_kinds_and_half_see_all(dataset):
    rng = np.random.default_rng(0)
    drawn = [teacher_part._some_kinds(dataset.kinds, rng) for _ in range(4000)]
    assert len(set(drawn)) == 7
    share = sum(kinds == dataset.kinds for kinds in drawn) / 4000
    # Half of them by choice, an eighth of the others by chance.
    assert share == pytest.approx(0.5 + 0.5 / 8, abs=0.03)


def test_only_the_public_part_is_trained_on(dataset, monkeypatch):
    asked = []
    original = type(dataset).inputs

    def spy(self, indices):
        asked.append(indices)
        return original(self, indices)

    monkeypatch.setattr(type(dataset), "inputs", spy)
    list(fit_centrally(module_of(dataset), dataset, TeacherConfig(epochs=1), seed=1))
    rows = set(np.concatenate(asked).tolist())
    allowed = np.concatenate([dataset.splits["public"], dataset.splits["validation"]])
    assert rows == set(allowed.tolist())


def test_scores_by_hand(dataset):
    class Always(torch.nn.Module):
        def forward(self, inputs):
            logits = torch.zeros(len(inputs["visual"]), dataset.classes)
            logits[:, 2] = 5.0
            return SimpleNamespace(logits=logits)

    rows = dataset.splits["test"]
    score = evaluate(Always(), dataset, rows, {"visual": 1.0})
    hits = float((dataset.labels[rows] == 2).mean())
    assert score.accuracy == pytest.approx(hits)
    whole = np.log(np.exp(5.0) + dataset.classes - 1)
    assert score.loss == pytest.approx(whole - 5.0 * hits, rel=1e-5)
    assert score.samples == len(rows)
    with pytest.raises(ValueError, match="at least one sample"):
        evaluate(Always(), dataset, rows[:0], {"visual": 1.0})
