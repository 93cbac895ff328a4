"""What is sent with a job: the whole package, the configuration, and the files that it names."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import edgestill
from edgestill.config import dump, load
from edgestill.errors import InputError
from edgestill.federation import world_of
from edgestill.jobs.submission import as_nodes_see_it, stage, stage_package, staging

IN_A_JOB = '{"metadata": {"job_submission_id": "one"}, "runtime_env": {"working_dir": "gcs://x"}}'


@pytest.fixture
def config(tiny_config, tmp_path):
    """Names a data folder and a trace."""
    trace = tmp_path / "given" / "load.csv"
    trace.parent.mkdir()
    trace.write_text("time_s,value\n0,0.2\n")
    groups = [
        {"name": "busy", "profile": "phone", "load": {"kind": "csv", "path": str(trace)}},
        {"name": "calm", "profile": "phone"},
    ]
    return tiny_config(fleet={"groups": groups})


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "staged").mkdir()
    return tmp_path / "staged"


def test_the_staged_package_alone_is_importable(folder, tmp_path):
    stage_package(folder)
    own_roots = [str(Path(portion).parent) for portion in edgestill.__path__]
    program = (
        f"import sys; sys.path = [{str(folder)!r}, *(set(sys.path) - set({own_roots!r}))]; "
        "import edgestill, edgestill.jobs.cli as cli; print(cli.__file__, *edgestill.__path__)"
    )
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert done.returncode == 0, done.stderr
    package = folder / "edgestill"
    assert done.stdout.split() == [str(package / "jobs" / "cli.py"), str(package)]


def test_every_module_of_every_root_is_staged_and_no_compiled_file(folder):
    package = stage_package(folder)
    staged = {path.relative_to(package) for path in package.rglob("*.py")}
    for portion in map(Path, edgestill.__path__):
        assert {path.relative_to(portion) for path in portion.rglob("*.py")} <= staged
    assert not list(package.rglob("__pycache__"))
    assert not list(package.rglob("*.pyc"))
    assert (package / "fleet" / "profiles.yaml").is_file()


def test_an_installed_package_is_staged_alike(folder, monkeypatch, tmp_path):
    """A wheel puts all portions into one folder."""
    installed = tmp_path / "site-packages" / "edgestill"
    (installed / "jobs" / "__pycache__").mkdir(parents=True)
    (installed / "jobs" / "cli.py").write_text("x = 1\n")
    (installed / "jobs" / "__pycache__" / "cli.cpython-311.pyc").write_bytes(b"")
    monkeypatch.setattr(edgestill, "__path__", [str(installed)])
    package = stage_package(folder)
    assert [str(p.relative_to(package)) for p in package.rglob("*") if p.is_file()] == [
        "jobs/cli.py"
    ]


def test_named_files_travel_and_the_configuration_finds_them(config, folder):
    staged = stage(config, folder)
    moved = staged.inputs.parent / "on-a-node"
    shutil.move(staged.inputs, moved)
    there = load(moved / "config.yaml")
    assert there.data.path is not None
    assert there.data.path.is_relative_to(moved)
    assert (there.data.path / "manifest.yaml").is_file()
    assert there.fleet.groups[0].load.path.read_text() == "time_s,value\n0,0.2\n"
    assert world_of(there).dataset.name == "blobs"


def test_nothing_else_of_the_configuration_changes(config, folder):
    staged = stage(config, folder).config
    given = {"data": {"path"}, "fleet": {"groups": {0: {"load": {"path"}}}}}
    assert staged.model_dump(exclude=given) == config.model_dump(exclude=given)
    assert staged.data.path == Path("files/00/blobs")
    assert staged.fleet.groups[0].load.path == Path("files/01/load.csv")


def test_a_configuration_that_names_no_file_is_all_that_is_sent(tiny_config, folder):
    staged = stage(tiny_config(data={"name": "av_digits", "path": None}), folder)
    assert [path.name for path in staged.inputs.iterdir()] == ["config.yaml"]


def test_a_secret_does_not_travel(tiny_config, folder, tmp_path):
    token = tmp_path / "token"
    token.write_text("secret")
    allocation = {"prometheus_url": "http://h:9090", "prometheus_token_file": str(token)}
    staged = stage(tiny_config(allocation=allocation), folder)
    assert staged.config.allocation.prometheus_token_file == token
    sent = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".npy"]
    assert not any(path.read_bytes() == b"secret" for path in sent)


def test_what_ray_would_leave_out_is_sent_all_the_same(config, folder):
    data = config.data.path.parent / "ignored"
    shutil.copytree(config.data.path, data)
    (data / ".gitignore").write_text("*.npy\n")
    changed = config.model_copy(update={"data": config.data.model_copy(update={"path": data})})
    sent = stage(changed, folder).inputs / "files" / "00" / "ignored"
    assert (sent / "labels.npy").is_file()
    assert not (sent / ".gitignore").exists()


def test_too_much_is_one_line_that_says_where_to_put_it(config, folder, monkeypatch):
    monkeypatch.setattr(staging, "LARGEST_STAGED_BYTES", 10_000)
    monkeypatch.setattr(staging, "stage_package", lambda folder: folder)
    with pytest.raises(InputError) as caught:
        stage(config, folder)
    assert str(caught.value).startswith(f"data.path: {config.data.path} has ")
    assert "put it on storage that all nodes see" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_gone_is_one_line(config, folder):
    config.fleet.groups[0].load.path.unlink()
    with pytest.raises(InputError, match=r"fleet\.groups\.0\.load\.path: .*load\.csv cannot be"):
        stage(config, folder)


def test_in_a_job_paths_lead_into_every_nodes_copy_of_the_folder(config, folder, monkeypatch):
    inputs = stage(config, folder).inputs
    monkeypatch.chdir(inputs)
    there = load(inputs / "config.yaml")
    assert as_nodes_see_it(there) == there
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.5:6379")
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", IN_A_JOB)
    seen = as_nodes_see_it(there)
    assert seen.data.path == Path("files/00/blobs")
    assert yaml.safe_load(dump(seen))["fleet"]["groups"][0]["load"]["path"] == "files/01/load.csv"
    elsewhere = config.model_copy(update={"seed": 8})
    assert as_nodes_see_it(elsewhere) == elsewhere
