"""Students as ONNX files: the same answers, and what they take in a process of their own."""

import numpy as np
import onnx
import pytest
import torch
from own_models import flat
from torch import nn

from edgestill.codec.modality import stages_of
from edgestill.config import StagesConfig
from edgestill.errors import InputError, RunError
from edgestill.models import Output, student
from edgestill.models.deploy import (
    compare,
    finish,
    measure_footing,
    quantise_onnx,
    run_onnx,
    write_onnx,
)
from edgestill.models.deploy.pooling import FixedPool, with_fixed_pools

SHAPES = {"visual": (1, 8, 8), "audio": (1, 12, 16), "sensor": (3, 20)}
PARTIAL = {"visual": 1.0, "audio": 0.5, "sensor": 1.0}
CLASSES, SAMPLES = 5, 60


@pytest.fixture(scope="module", autouse=True)
def one_torch_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def samples():
    """Inputs by kind and labels, of which each class has a pattern of its own."""
    rng = np.random.default_rng(0)
    labels = np.arange(SAMPLES) % CLASSES
    return {
        kind: (
            rng.normal(size=(CLASSES, *shape))[labels] + rng.normal(size=(SAMPLES, *shape))
        ).astype(np.float32)
        for kind, shape in SHAPES.items()
    }, labels


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A student of all kinds, with half the audio, and its file of free batch."""
    torch.manual_seed(0)
    module = student(SHAPES, CLASSES, 0.75)
    path = tmp_path_factory.mktemp("exported") / "student.onnx"
    write_onnx(module, PARTIAL, SHAPES, path, batch=None)
    finish(path, {"edgestill.level": "medium"})
    return module, path


def test_a_file_answers_as_its_model(exported, samples):
    module, path = exported
    found = compare(path, module, PARTIAL, *samples, batch=None)
    assert found.within_tolerance
    assert found.largest_difference < 1e-5
    assert (found.samples, found.same_answers) == (SAMPLES, 1.0)
    assert found.file_accuracy == found.model_accuracy


def test_a_file_of_other_weights_does_not(exported, samples):
    _, path = exported
    torch.manual_seed(1)
    found = compare(path, student(SHAPES, CLASSES, 0.75), PARTIAL, *samples, batch=None)
    assert not found.within_tolerance


def test_inputs_are_named_by_modality_and_take_any_batch(exported, samples):
    _, path = exported
    model = onnx.load(path)
    inputs = {
        given.name: [d.dim_param or d.dim_value for d in given.type.tensor_type.shape.dim]
        for given in model.graph.input
    }
    assert inputs == {kind: ["batch", *shape] for kind, shape in SHAPES.items()}
    assert {entry.key: entry.value for entry in model.metadata_props} == {
        "edgestill.level": "medium"
    }
    for count in (1, 3):
        part = {kind: values[:count] for kind, values in samples[0].items()}
        assert run_onnx(path, part, batch=None).shape == (count, CLASSES)


def test_nothing_of_the_source_code_is_in_a_file(exported):
    assert b"forward" not in exported[1].read_bytes()


def test_adaptive_pooling_leaves_no_gathers(exported):
    kinds = {node.op_type for node in onnx.load(exported[1]).graph.node}
    assert "Gather" not in kinds
    assert "GatherND" not in kinds


def test_eight_bits_answer_nearly_as_well_in_fewer_bytes(exported, samples, tmp_path):
    module, path = exported
    inputs, labels = samples
    small = tmp_path / "int8.onnx"
    small.write_bytes(path.read_bytes())
    quantise_onnx(small, {kind: values[:30] for kind, values in inputs.items()}, batch=None)
    finish(small, {})
    held = {kind: values[30:] for kind, values in inputs.items()}
    found = compare(small, module, PARTIAL, held, labels[30:], batch=None)
    assert found.same_answers >= 0.8
    assert 1e-4 < found.largest_difference < 1.0
    assert small.stat().st_size < 0.75 * path.stat().st_size
    assert [file.name for file in tmp_path.iterdir()] == ["int8.onnx"]


def test_a_fixed_batch_of_a_users_own_model(samples, tmp_path):
    inputs, labels = samples
    module, path = flat(SHAPES, CLASSES), tmp_path / "own.onnx"
    for _ in range(3):
        module({kind: torch.from_numpy(values) for kind, values in inputs.items()})
    write_onnx(module, {"audio": 1.0}, SHAPES, path, batch=8)
    found = compare(path, module, {"audio": 1.0}, inputs, labels, batch=8)
    assert found.within_tolerance
    # Whole batches only.
    assert found.samples == 56
    with pytest.raises(ValueError, match="fewer than one batch of 8"):
        run_onnx(path, {"audio": inputs["audio"][:7]}, batch=8)


def test_a_levels_stages_are_inside_the_file(samples, tmp_path):
    inputs, labels = samples
    names = StagesConfig(audio="temporal_spectral", sensor="components")
    stages, shares = stages_of(names, inputs.__getitem__), {"audio": 0.5, "sensor": 0.25}
    module, path = student(SHAPES, CLASSES), tmp_path / "stages.onnx"
    write_onnx(module, shares, SHAPES, path, batch=1, compress=stages)
    found = compare(path, module, shares, inputs, labels, batch=1, compress=stages)
    assert found.within_tolerance
    assert not compare(path, module, shares, inputs, labels, batch=1).within_tolerance


@pytest.mark.parametrize(
    ("pool", "shape"),
    [
        (nn.AdaptiveAvgPool1d(6), (2, 3, 20)),
        (nn.AdaptiveAvgPool1d(6), (2, 3, 5)),
        (nn.AdaptiveAvgPool2d((3, 4)), (2, 3, 8, 7)),
        (nn.AdaptiveAvgPool2d(2), (2, 3, 5, 9)),
        (nn.AdaptiveAvgPool2d((None, 3)), (2, 3, 5, 9)),
    ],
)
def test_fixed_pools_are_adaptive_ones(pool, shape):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.part = nn.Sequential(pool)

        def forward(self, inputs):
            return self.part(inputs["x"])

    module, values = Model(), torch.randn(shape)
    fixed = with_fixed_pools(module, {"x": torch.zeros(shape)})
    assert isinstance(fixed.part[0], FixedPool)
    assert module.part[0] is pool
    torch.testing.assert_close(fixed({"x": values}), pool(values))


class Odd(nn.Module):
    """Does to its logits what a test wants."""

    def __init__(self, twist):
        super().__init__()
        self.twist = twist
        self.layer = nn.Linear(64, CLASSES)

    def forward(self, inputs):
        logits = self.twist(self.layer(inputs["visual"].flatten(1)))
        return Output(logits=logits, embeddings={}, fused=logits, gates={})


def branching(values):
    return values if values.sum() > 0 else -values


@pytest.mark.parametrize(
    ("twist", "said"),
    [
        (torch.special.bessel_j0, "uses the operator prims.bessel_j0, which ONNX lacks"),
        (lambda values: values.reshape(len(values), -1), "fixes its batch, as len"),
        (branching, "cannot be traced: Could not guard on data-dependent"),
    ],
)
def test_what_onnx_cannot_say_is_one_line(twist, said, tmp_path, capfd):
    with pytest.raises(InputError, match=said) as caught:
        write_onnx(Odd(twist), {"visual": 1.0}, SHAPES, tmp_path / "odd.onnx", batch=None)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_file_is_measured_under_its_levels_memory(exported):
    _, path = exported
    roomy = measure_footing(path, limit_bytes=200_000_000)
    tight = measure_footing(path, limit_bytes=50_000)
    assert (roomy.fits, tight.fits) == (True, False)
    for footing in (roomy, tight):
        assert footing.file_bytes == path.stat().st_size
        assert 0 < footing.latency_median_s <= footing.latency_p95_s
        assert 0 < footing.model_memory_bytes < footing.peak_memory_bytes
        assert (footing.threads, footing.samples_per_call) == (1, 1)


def test_a_file_that_is_none_is_said(tmp_path):
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(RunError, match=r"broken.onnx: does not run by onnxruntime: .+"):
        measure_footing(path, limit_bytes=200_000_000)
