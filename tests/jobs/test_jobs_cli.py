"""The command line: what it prints, and one line with exit code 2 for whatever is wrong."""

import json
import socket

import numpy as np
import pytest
import yaml

from edgestill.config import dump, load
from edgestill.jobs import cli


@pytest.fixture
def edgestill(capsys):
    """Run a command in this process; give its exit code, standard output and standard error."""

    def run(*arguments):
        given = [str(argument) for argument in arguments]
        code = cli._guarded(lambda: cli.app(given, standalone_mode=False))
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def config(tiny_dataset, tiny_config, tmp_path):
    """A right configuration whose dataset is a copy that a test may break."""
    data = tmp_path / "data"
    data.mkdir()
    for path in tiny_dataset.iterdir():
        (data / path.name).write_bytes(path.read_bytes())
    path = tmp_path / "right.yaml"
    path.write_text(dump(tiny_config(data={"path": str(data)})))
    return path


@pytest.fixture
def data(config):
    return config.parent / "data"


@pytest.fixture
def complaint(edgestill, config, tmp_path):
    """The one line that `run` gives for what is wrong; nothing has been written."""

    def run(*arguments, path=config):
        out = tmp_path / "out"
        code, printed, errors = edgestill("run", path, "--out", out, *arguments)
        assert code == 2
        assert printed == ""
        assert errors.startswith("edgestill: ")
        assert errors.count("\n") == 1
        assert not out.exists()
        return errors

    return run


def test_validate_prints_what_load_reads_back(edgestill, config, tmp_path):
    code, out, err = edgestill("validate", config, "--set", "seed=11")
    assert (code, err) == (0, "")
    (tmp_path / "again.yaml").write_text(out)
    assert load(tmp_path / "again.yaml") == load(config, ["seed=11"])
    assert edgestill("validate", config, "--quiet") == (0, "", "")


def test_memory_that_would_not_suffice_is_foretold(edgestill, config, complaint, monkeypatch):
    code, out, _ = edgestill("validate", config)
    assert code == 0
    assert out.splitlines()[-1].startswith("# memory: about ")
    monkeypatch.setattr("edgestill.fleet.free_memory_bytes", lambda: 3_000_000_000)
    cohorts = ("--set", "engine.cohorts=40")
    line = complaint(*cohorts)
    assert "engine.cohorts: 40 cohorts need " in line
    assert line.endswith("3.0 GB are free; 3 would fit\n")
    _, out, _ = edgestill("validate", config, *cohorts)
    assert out.endswith(f"# {line.removeprefix('edgestill: ')}")


def test_data_describes_the_dataset_and_how_it_is_dealt(edgestill, config):
    code, out, err = edgestill("data", config)
    described = json.loads(out)
    assert (code, err) == (0, "")
    assert (described["samples"], described["classes"]) == (164, 4)
    assert set(described["modalities"]) == {"visual", "audio", "sensor"}
    assert sum(described["splits"]["private"]["class_counts"]) == 60
    partition = {"devices": 6, "without_data": 0, "fewest": 10, "median": 10, "most": 10}
    assert described["partition"] == partition


def test_data_counts_devices_without_data(edgestill, config):
    dealt = "data.partition={kind: user}"
    code, out, _ = edgestill("data", config, "--set", dealt, "--set", "fleet.devices=30")
    assert code == 0
    assert json.loads(out)["partition"]["without_data"] == 10


def test_data_alone_describes_the_bundled_digits(edgestill):
    code, out, _ = edgestill("data")
    assert code == 0
    assert json.loads(out)["name"] == "av_digits"


@pytest.mark.parametrize("command", [(), ("run",), ("validate",), ("data",)])
def test_help_of_each_command(edgestill, command):
    code, out, err = edgestill(*command, "--help")
    assert (code, err) == (0, "")
    assert "Usage: " in out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["run", "--foo"], "--foo"),
        (["nope"], "nope"),
        (["validate"], "CONFIG"),
        (["run", "x.yaml", "--from-round", "0"], "--from-round"),
        (["run", "x.yaml", "--from-round", "x"], "--from-round"),
        (["run"], "CONFIG or --resume"),
        (["run", "x.yaml", "--from-round", "2"], "--from-round needs --resume"),
        (["run", "x.yaml", "--resume", "."], "give no CONFIG, --set or --out"),
        (["run", "nowhere.yaml"], "nowhere.yaml: cannot be read"),
        (["run", "--resume", "nowhere"], "no config.yaml there"),
    ],
)
def test_a_command_that_is_not_one_is_said_in_a_line(edgestill, arguments, named):
    code, out, err = edgestill(*arguments)
    assert (code, out) == (2, "")
    assert named in err
    assert err.count("\n") == 1


def test_no_command_shows_the_help(edgestill):
    code, out, err = edgestill()
    assert code == 2
    assert "Commands" in out + err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("fleet.sise=3", "fleet.sise: unknown key; known here: devices, groups"),
        ("federation.rounds=many", "federation.rounds: input should be a valid integer"),
        ("fleet.devices=0", "fleet.devices: input should be greater than or equal to 1"),
        ("fleet.devices=61", "fleet.devices: 61 devices but only 60 private samples in blobs"),
        ("engine.device=tpu", "engine.device: input should be 'auto', 'cpu' or 'cuda'"),
        ("student.factory=nowhere:student", "student.factory: 'nowhere:student' cannot be"),
        ("federation.options={nonsense: 1}", "federation.options"),
        ("seed", "--set seed: expected dotted.key=value"),
    ],
)
def test_a_wrong_key_is_named_with_what_would_be_right(complaint, override, named):
    assert named in complaint("--set", override)


def test_yaml_that_is_none_is_said(complaint, tmp_path):
    (tmp_path / "broken.yaml").write_text("fleet: [1, 2\n")
    assert "broken.yaml: not valid YAML" in complaint(path=tmp_path / "broken.yaml")


def test_a_missing_array(complaint, data):
    (data / "audio.npy").unlink()
    assert "audio.npy" in complaint()


def test_a_truncated_array(complaint, data):
    whole = (data / "audio.npy").read_bytes()
    (data / "audio.npy").write_bytes(whole[: len(whole) // 2])
    assert "audio.npy" in complaint()


def test_a_label_out_of_range(complaint, data):
    labels = np.load(data / "labels.npy")
    labels[3] = 4
    np.save(data / "labels.npy", labels)
    assert "labels.npy" in complaint()


def test_features_that_are_not_numbers(complaint, data):
    features = np.load(data / "sensor.npy")
    features[5, 0, 0] = np.nan
    np.save(data / "sensor.npy", features)
    assert "sensor.npy" in complaint()


def test_modalities_of_unequal_length(complaint, data):
    np.save(data / "visual.npy", np.load(data / "visual.npy")[:-1])
    assert "visual.npy" in complaint()


def test_a_manifest_that_points_outside_its_folder(complaint, data):
    manifest = yaml.safe_load((data / "manifest.yaml").read_text())
    manifest["labels"] = "../labels.npy"
    (data / "manifest.yaml").write_text(yaml.safe_dump(manifest))
    assert "leads outside the folder" in complaint()


@pytest.mark.parametrize("address", ["head", "head:port", "ray://10.0.0.5:10001"])
def test_a_malformed_address(complaint, address):
    assert f"--address {address}: expected HOST:PORT" in complaint("--address", address)


def test_an_address_where_nobody_listens(complaint):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    assert "no Ray head answers there" in complaint("--address", f"127.0.0.1:{port}")


def test_a_telemetry_port_in_use(complaint):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"telemetry.port: {port} on 127.0.0.1 is in use" in complaint(
            "--set", f"telemetry.port={port}"
        )


def test_a_folder_that_is_not_empty_is_left_alone(edgestill, config, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "report.json").write_text("mine")
    code, _, err = edgestill("run", config, "--out", out)
    assert code == 2
    assert "not empty" in err
    assert "--resume" in err
    assert [path.name for path in out.iterdir()] == ["report.json"]
    assert (out / "report.json").read_text() == "mine"


def test_a_folder_that_cannot_be_made(edgestill, config, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = edgestill("run", config, "--out", tmp_path / "file" / "run")
    assert code == 2
    assert "cannot be written" in err
    assert err.count("\n") == 1
