"""``edgestill joint``: a folder whose halves answer, of a configuration or of a run."""

import json
from dataclasses import replace

import pytest
import torch

from edgestill.config import JointConfig, load_as
from edgestill.errors import ConfigurationError
from edgestill.federation import (
    Coordinator,
    LocalGrid,
    NoSource,
    Surroundings,
    enter_run,
    load_teacher,
    make_client_app,
    save_taught,
    teach,
    world_of,
)
from edgestill.inference.joint import load_cloud, load_edge
from edgestill.jobs import cli, run_folder
from edgestill.jobs.joint import training as joint_training
from edgestill.telemetry import MetricStore

TINY = """
name: tiny
cloud_epochs: 1
fog_epochs: 1
edge_epochs: 1
adaptation: {epochs: 1, rate_weights: [1.0, 0.1]}
"""


class Quiet:
    """An observer who looks away."""

    def vitals_exported(self):
        pass

    def round_started(self, round_number, participants):
        pass

    def round_ended(self, row):
        pass


@pytest.fixture(scope="module", autouse=True)
def one_torch_thread():
    torch.set_num_threads(1)


@pytest.fixture
def joint(tmp_path, capfd):
    """Run the command on what is given; its exit code, the folder, what it printed."""

    def run(source, *arguments):
        given = ["joint", str(source), *map(str, arguments)]
        code = cli._guarded(lambda: cli.app(given, standalone_mode=False))
        return code, *capfd.readouterr()

    return run


@pytest.fixture
def few(monkeypatch):
    """Few samples of each split."""
    every = joint_training.splits_of

    def some(config):
        splits = every(config)
        return replace(
            splits,
            public=_first(splits.public, 128),
            validation=_first(splits.validation, 40),
            test=_first(splits.test, 40),
        )

    monkeypatch.setattr(joint_training, "splits_of", some)


def _first(samples, count):
    return replace(
        samples,
        rows=samples.rows[:count],
        targets_n=samples.targets_n[:count],
        watched_n=samples.watched_n[:count],
    )


@pytest.fixture
def tiny(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return path


@pytest.mark.parametrize("data", ["photo_digits", "digit_scenes"])
def test_a_folder_has_halves_that_answer_and_the_figures_of_every_way(
    joint, few, tiny, tmp_path, data
):
    out = tmp_path / "out"
    code, printed, told = joint(tiny, "--out", out, "--set", f"data={data}")
    assert code == 0, told
    assert "features at rate 1" in printed
    assert "Dynamic" in printed
    assert "adapter at 2 rates" in told
    report = json.loads((out / "joint.json").read_text())
    assert report["schema"] == "edgestill.joint/1"
    assert report["metric"] == {"digit_scenes": "mean_average_precision"}.get(data, "accuracy")
    ways = report["ways"]["fog"]["test"]
    assert [row["way"] for row in ways][::3] == ["edge", "input"]
    assert report["bytes_by_rate"] == [
        -int(-row["bytes"] // 1) for row in report["ways"]["cloud"]["validation"][1:]
    ]
    assert [row["architecture"] for row in report["architectures"]] == [
        "Independent",
        "Adaptive",
        "Dynamic",
    ]
    edge, cloud = load_edge(out), load_cloud(out)
    test = _first(joint_training.splits_of(load_as(JointConfig, out / "config.yaml")).test, 2)
    looked = edge.half.look({"visual": test.raw(0)["visual"]})
    contents = [cloud.read(edge.half.encode(looked.features, rate)) for rate in range(3)]
    assert [answer.by for answer in cloud.answer(contents)] == ["cloud"] * 3


def test_a_folder_that_is_not_empty_is_refused_and_kept(joint, few, tiny, tmp_path):
    (tmp_path / "mine").write_text("x")
    code, _, error = joint(tiny, "--out", tmp_path)
    assert (code, "not empty" in error, error.count("\n")) == (2, True, 1)


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("gate.rule=unsure_boxes", "gate: rule unsure_boxes is not for photo_digits"),
        ("gate.value=1.5", "gate.value"),
        ("adaptation.rate_weights=[]", "adaptation.rate_weights"),
        ("recall.classes=[10]", "recall.classes: [10]; photo_digits has classes 0 to 9"),
        ("data=av_digits", "data: input should be 'photo_digits' or 'digit_scenes'"),
        ("federation.rounds=3", "unknown key; known here: name, seed"),
    ],
)
def test_a_wrong_key_is_one_line(joint, tiny, tmp_path, override, line):
    code, _, error = joint(tiny, "--out", tmp_path / "out", "--set", override)
    assert code == 2
    assert line in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_detection_takes_no_rule_and_no_classes_of_a_classification(tiny):
    with pytest.raises(ConfigurationError, match="rule least_confidence is not for digit_scenes"):
        load_as(JointConfig, tiny, ["data=digit_scenes", "gate.rule=least_confidence"])
    with pytest.raises(ConfigurationError, match="every object counts"):
        load_as(JointConfig, tiny, ["data=digit_scenes", "recall.classes=[1]"])


@pytest.mark.parametrize(
    ("name", "data"), [("eccentric", "photo_digits"), ("eccentric_detection", "digit_scenes")]
)
def test_the_configurations_of_the_repository_are_right(pytestconfig, name, data):
    config = load_as(JointConfig, pytestconfig.rootpath / f"jobs/configs/{name}.yaml")
    assert config.data == data
    assert config.fog_epochs > 0


@pytest.fixture(scope="module")
def run_dir(tiny_config, tmp_path_factory):
    """The folder of a run of two rounds with its teacher, as `edgestill run` leaves it."""
    enter_run(1)
    config = tiny_config(allocation={"policy": "static"})
    folder = run_folder.create(config, tmp_path_factory.mktemp("runs") / "run")
    world, lessons = world_of(config), teach(world_of(config))
    try:
        while True:
            next(lessons)
    except StopIteration as end:
        save_taught(end.value, folder.teacher)
    surroundings = Surroundings(
        world=world,
        source=NoSource(world.dataset.classes),
        store=MetricStore(max_device_series=0),
        observer=Quiet(),
        checkpoints=folder.checkpoints,
    )
    Coordinator(LocalGrid(make_client_app(config), config.fleet.devices), surroundings).run()
    return folder.path


def test_a_run_keeps_its_teachers_weights(run_dir, tiny_config):
    world = world_of(tiny_config(allocation={"policy": "static"}))
    teacher, again = (load_teacher(world, run_dir / "teacher") for _ in range(2))
    sample = {kind: torch.randn(1, *shape) for kind, shape in world.family.modalities.items()}
    with torch.no_grad():
        assert torch.equal(teacher(sample).logits, again(sample).logits)
    assert not teacher.training


def test_a_run_becomes_a_model_of_its_student_and_teacher(joint, run_dir, tiny_config):
    code, printed, told = joint(run_dir)
    assert code == 0, told
    assert "features at rate 0" in printed
    report = json.loads((run_dir / "joint" / "joint.json").read_text())
    assert (report["level"], list(report["ways"])) == ("high", ["cloud"])
    edge, cloud = load_edge(run_dir), load_cloud(run_dir)
    kinds = list(edge.half.inputs)
    world = world_of(tiny_config(allocation={"policy": "static"}))
    row = world.dataset.splits["test"][:1]
    sample = {kind: world.dataset.arrays[kind][row][0] for kind in kinds}
    looked = edge.half.look(sample)
    contents = [
        cloud.read(edge.half.encode(looked.features, rate))
        for rate in range(len(edge.half.bytes_by_rate))
    ]
    whole = cloud.answer(contents)[-1]
    teacher = load_teacher(world, run_dir / "teacher")
    with torch.no_grad():
        logits = teacher(
            {kind: torch.from_numpy(v) for kind, v in world.dataset.inputs(row).items()}
        )
    if not any(spec.is_picture for spec in edge.half.inputs.values()):
        assert whole.label == int(logits.logits.argmax())
    code, _, error = joint(run_dir)
    assert (code, "not empty" in error) == (2, True)


def test_a_run_without_its_teachers_weights_is_refused(joint, run_dir, tmp_path):
    weights = run_dir / "teacher" / "weights.safetensors"
    kept = weights.read_bytes()
    weights.unlink()
    code, _, error = joint(run_dir, "--out", tmp_path / "joint")
    weights.write_bytes(b"nothing")
    damaged = joint(run_dir, "--out", tmp_path / "joint")
    weights.write_bytes(kept)
    assert (code, error.count("\n")) == (2, 1)
    assert "before runs kept the teacher's weights" in error
    assert (damaged[0], damaged[2].count("\n")) == (2, 1)
    assert not (tmp_path / "joint").exists()


def test_what_is_no_run_or_no_level_is_one_line(joint, run_dir, tmp_path):
    for arguments, line in (
        ((tmp_path,), "no config.yaml there"),
        ((run_dir, "--level", "tall"), "expected one of high"),
        ((run_dir, "--set", "seed=3"), "not for the folder of a run"),
        ((tmp_path / "none.yaml",), "cannot be read"),
    ):
        code, _, error = joint(*arguments)
        assert (code, error.count("\n")) == (2, 1)
        assert line in error
