"""What is resolved can be written, read again, and named by a digest."""

import pytest

from edgestill.config import RunConfig, digest, dump, load, resolve

FULL = {
    "name": "demo",
    "seed": 3,
    "data": {"name": "mine", "path": "data/mine", "partition": {"kind": "user"}},
    "fleet": {
        "devices": 9,
        "groups": [
            {
                "name": "phones",
                "profile": "phone",
                "load": {"kind": "csv", "path": "load.csv"},
                "link": {"kind": "steps", "steps": [[0, 1], [60, 0.5]]},
            }
        ],
    },
    "federation": {"strategy": "FedAdam", "options": {"eta": 0.01}, "deadline_s": 1.5},
}


def test_dump_and_load_round_trip(tmp_path):
    for tree in ({}, FULL):
        config = resolve(tree)
        path = tmp_path / "config.yaml"
        path.write_text(dump(config))
        assert load(path) == config
        assert dump(load(path)) == dump(config)


def test_paths_in_a_file_are_anchored_at_the_file(tmp_path, monkeypatch):
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    (home / "mine.yaml").write_text(
        "data: {path: data/mine}\n"
        "fleet: {groups: [{name: a, profile: phone, load: {kind: csv, path: load.csv}},"
        " {name: b, profile: phone, load: {kind: csv, path: /abs/load.csv}}]}\n"
    )
    monkeypatch.chdir(elsewhere)
    config = load(home / "mine.yaml")
    assert config.data.path == home / "data" / "mine"
    assert config.fleet.groups[0].load.path == home / "load.csv"
    assert str(config.fleet.groups[1].load.path) == "/abs/load.csv"


def test_paths_of_an_override_are_of_the_working_directory_and_stay_so(tmp_path, monkeypatch):
    (tmp_path / "runs").mkdir()
    (tmp_path / "mine.yaml").write_text("seed: 1\n")
    monkeypatch.chdir(tmp_path)
    config = load(tmp_path / "mine.yaml", ["data.path=data/mine"])
    assert config.data.path == tmp_path / "data" / "mine"
    # Written into a run's folder and read again, it still means the same.
    kept = tmp_path / "runs" / "config.yaml"
    kept.write_text(dump(config))
    assert load(kept) == config


def test_overrides_reach_into_defaults_and_lists():
    config = resolve({}, ["fleet.groups.1.share=9", "data.partition.alpha=2", "seed=5"])
    assert config.fleet.groups[1].share == 9
    assert config.fleet.groups[1].name == RunConfig().fleet.groups[1].name
    assert config.data.partition.alpha == 2
    assert config.seed == 5


def test_overrides_leave_the_given_tree_alone():
    tree = {"fleet": {"devices": 3}, "data": {"path": "x"}}
    resolve(tree, ["fleet.devices=4"])
    assert tree == {"fleet": {"devices": 3}, "data": {"path": "x"}}


@pytest.mark.parametrize(
    "override", ["name=other", "telemetry.port=9", "engine.cohorts=4", "comparisons=[fedavg]"]
)
def test_the_digest_ignores_what_changes_no_number(override):
    assert digest(resolve({}, [override])) == digest(RunConfig())


SECTIONS = {
    "seed": "8",
    "data": "{name: other}",
    "teacher": "{epochs: 3}",
    "student": "{factory: 'a:b'}",
    "training": "{batch_size: 9}",
    "knowledge": "{samples_per_round: 9}",
    "fleet": "{devices: 9}",
    "allocation": "{level: low}",
    "federation": "{rounds: 9}",
    "evaluation": "{held_out_share: 0.5}",
    "privacy": "{update_clip_norm: 9}",
}


def test_the_digest_sees_every_other_section():
    ignored = {"name", "telemetry", "engine", "comparisons"}
    assert set(RunConfig.model_fields) == set(SECTIONS) | ignored
    seen = {digest(resolve({}, [f"{key}={value}"])) for key, value in SECTIONS.items()}
    assert len(seen | {digest(RunConfig())}) == len(SECTIONS) + 1
