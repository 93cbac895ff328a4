"""``edgestill export``: a run's student as a file, or one line that says why not."""

import json

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from edgestill.config import digest
from edgestill.federation import (
    Checkpoint,
    CheckpointFolder,
    Coordinator,
    LocalGrid,
    NoSource,
    Surroundings,
    enter_run,
    make_client_app,
    world_of,
)
from edgestill.jobs import cli, run_folder
from edgestill.jobs.students import export_student, open_student
from edgestill.models import Output
from edgestill.telemetry import MetricStore


class Quiet:
    """An observer who looks away."""

    def vitals_exported(self):
        pass

    def round_started(self, round_number, participants):
        pass

    def round_ended(self, row):
        pass


class Lacking(nn.Module):
    """Has an operator that ONNX does not."""

    def __init__(self, modalities, classes, width=1.0):
        super().__init__()
        sizes = {kind: int(np.prod(shape)) for kind, shape in modalities.items()}
        self.maps = nn.ModuleDict({k: nn.LazyLinear(4) for k in sizes})
        self.head = nn.Linear(4, classes)

    def forward(self, inputs):
        found = {k: inputs[k].mean(dim=-1).flatten(1)[:, :1].repeat(1, 4) for k in inputs}
        fused = torch.special.bessel_j0(sum(found.values()))
        return Output(logits=self.head(fused), embeddings=found, fused=fused, gates={})


def lacking(modalities, classes, width=1.0):
    module = Lacking(modalities, classes, width)
    del module.maps
    return module


@pytest.fixture(scope="module", autouse=True)
def one_torch_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def run_dir(tiny_config, tmp_path_factory):
    """The folder of a run of two rounds that never wrote a report, as one that was stopped."""
    enter_run(1)
    config = tiny_config(knowledge={"selection": "none"}, allocation={"policy": "static"})
    folder = run_folder.create(config, tmp_path_factory.mktemp("runs") / "run")
    world = world_of(config)
    surroundings = Surroundings(
        world=world,
        source=NoSource(world.dataset.classes),
        store=MetricStore(max_device_series=0),
        observer=Quiet(),
        checkpoints=folder.checkpoints,
    )
    Coordinator(LocalGrid(make_client_app(config), config.fleet.devices), surroundings).run()
    return folder.path


@pytest.fixture
def edgestill(capfd):
    """Run a command in this process; give its exit code, standard output and standard error."""

    def run(*arguments):
        given = [str(argument) for argument in arguments]
        code = cli._guarded(lambda: cli.app(given, standalone_mode=False))
        out, err = capfd.readouterr()
        return code, out, err

    return run


@pytest.fixture
def complaint(edgestill):
    """The one line that an export gives for what is wrong."""

    def run(*arguments):
        code, out, err = edgestill("export", *arguments)
        assert (code, out) == (2, "")
        assert err.startswith("edgestill: ")
        assert err.count("\n") == 1
        return err

    return run


def checkpointed(config, path):
    """A run's folder with a checkpoint of its first arrays, without any round played."""
    folder = run_folder.create(config, path)
    arrays = world_of(config).family.initial_arrays(0)
    folder.checkpoints.save(
        Checkpoint(round_number=5, arrays={f"model/{k}": v for k, v in arrays.items()}, plain={})
    )
    return folder.path


def test_a_student_in_eight_bits(edgestill, run_dir, tiny_config):
    code, out, err = edgestill("export", run_dir, "--level", "high", "--format", "onnx")
    assert (code, err) == (0, "")
    path = run_dir / "student-high.onnx"
    assert out.splitlines()[-1] == str(path)
    assert "student high  after round 2  in int8" in out
    assert "fits 60 MB, the least that level high has free" in out
    found = json.loads(path.with_suffix(".json").read_text())
    assert (found["schema"], found["precision"]) == ("edgestill.export/1", "int8")
    assert found["as_float32"]["within_tolerance"]
    assert found["as_float32"]["same_answers"] == 1.0
    assert found["agreement"]["samples"] == 16
    assert found["footing"]["file_bytes"] == path.stat().st_size
    assert found["footing"]["fits"]
    # Nothing else was left there.
    assert {file.name for file in run_dir.iterdir()} == {
        "config.yaml",
        "checkpoints",
        "student-high.onnx",
        "student-high.json",
    }
    about = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert (about["edgestill.level"], about["edgestill.round"]) == ("high", "2")
    assert about["edgestill.fingerprint"] == found["fingerprint"]
    sensor = json.loads(about["edgestill.modalities"])["sensor"]
    assert sensor == {"shape": [2, 12], "scale": 1.0, "offset": 0.0, "share": 1.0}


def test_it_is_the_newest_rounds_student(run_dir):
    student = open_student(run_dir, "critical")
    assert student.round_number == 2
    kept = CheckpointFolder(run_dir / "checkpoints", digest(student.world.config)).newest()
    bias = kept.arrays["model/classifier.bias"]
    np.testing.assert_array_equal(student.module.classifier.bias.detach(), bias)
    assert not student.module.training


def test_a_level_of_32_bits_stays_in_float32(tiny_config, tmp_path):
    config = tiny_config(
        knowledge={"selection": "none"}, allocation={"levels": {"low": {"bits": 32}}}
    )
    run = checkpointed(config, tmp_path / "run")
    exported = export_student(open_student(run, "low"), tmp_path / "deep" / "low.onnx", batch=4)
    found = exported.to_plain()
    assert (found["precision"], found["round"]) == ("float32", 5)
    assert found["agreement"] == found["as_float32"]
    assert found["footing"]["samples_per_call"] == 4
    assert found["footing"]["limit_bytes"] == 20_000_000
    given = onnx.load(tmp_path / "deep" / "low.onnx").graph.input
    assert [one.name for one in given] == ["visual"]
    assert given[0].type.tensor_type.shape.dim[0].dim_value == 4


def test_an_operator_that_onnx_lacks(complaint, tiny_config, tmp_path):
    config = tiny_config(
        knowledge={"selection": "none"}, student={"factory": f"{__name__}:lacking"}
    )
    run = checkpointed(config, tmp_path / "run")
    line = complaint(run, "--level", "low")
    assert "uses the operator prims.bessel_j0, which ONNX lacks" in line
    assert {file.name for file in run.iterdir()} == {"config.yaml", "checkpoints"}


def test_wrong_options_are_said_in_a_line(complaint, run_dir, tmp_path):
    said = complaint(run_dir, "--level", "huge")
    assert "--level huge: expected one of high, medium, low, critical" in said
    assert "--format tflite: expected onnx" in complaint(
        run_dir, "--level", "low", "--format", "tflite"
    )
    assert "--batch 17: only 16 validation samples" in complaint(
        run_dir, "--level", "low", "--batch", 17
    )
    (tmp_path / "file").write_text("")
    assert "cannot be written" in complaint(
        run_dir, "--level", "low", "--out", tmp_path / "file" / "x.onnx"
    )


def test_a_folder_that_is_no_run(complaint, tmp_path):
    assert "no config.yaml there; give the folder of a run" in complaint(tmp_path, "--level", "low")
    assert "no config.yaml there" in complaint(tmp_path / "nowhere", "--level", "low")


def test_a_run_without_a_checkpoint(complaint, tiny_config, tmp_path):
    run = run_folder.create(tiny_config(), tmp_path / "run").path
    assert "no checkpoint there" in complaint(run, "--level", "low")
    (run / "checkpoints").mkdir()
    assert "no usable checkpoint" in complaint(run, "--level", "low")
