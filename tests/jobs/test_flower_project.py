"""Reading an app's folder, and the one line for whatever is wrong with it; no engine starts."""

import shutil
from pathlib import Path

import pytest

from edgestill.errors import InputError
from edgestill.jobs import cli
from edgestill.jobs.flower import read_project

APPS = Path(__file__).parents[1] / "integration" / "flower_apps"


@pytest.fixture
def app(tmp_path):
    """A copy of an app that a test may break."""
    return Path(shutil.copytree(APPS / "faulty", tmp_path / "app"))


@pytest.fixture
def complaint(app, tmp_path, capsys):
    """The one line that the command gives for what is wrong; nothing has been written."""

    def run(*arguments, folder=None):
        out = tmp_path / "out"
        given = ["flower", "run", str(folder or app), "--devices", "2", "--out", str(out)]
        code = cli._guarded(lambda: cli.app([*given, *arguments], standalone_mode=False))
        printed, errors = capsys.readouterr()
        assert code == 2
        assert not printed
        assert not out.exists()
        [line] = errors.splitlines()
        return line

    return run


def replace(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_overrides_have_flowers_own_syntax(app):
    project = read_project(app, run_config=["fault-round=5 faults='1:nan 2:raise'"], rounds=9)
    assert project.run_config == {
        "num-server-rounds": 9,
        "faults": "1:nan 2:raise",
        "fault-round": 5,
    }
    assert project.rounds == 9


def test_overrides_may_come_from_a_file(app, tmp_path):
    path = tmp_path / "own.toml"
    path.write_text("fault-round = 4\n")
    assert read_project(app, run_config=[str(path)]).run_config["fault-round"] == 4


def test_federations_of_the_file_are_not_used_and_that_is_said():
    project = read_project(APPS / "digits_cnn")
    assert project.notes == (
        "[tool.flwr.federations] is not used: --devices says how many there are",
    )


def test_rounds_without_a_key_for_them_say_how_to_set_them(app, complaint):
    replace(app / "pyproject.toml", "num-server-rounds = 3", "epochs = 3")
    line = complaint("--rounds", "4")
    assert "has no num-server-rounds" in line
    assert "--run-config 'KEY=4' (its keys: epochs, fault-round, faults)" in line


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("nothing=1", "no such key in [tool.flwr.app.config] (its keys: fault-round, faults, num"),
        ("fault-round", "expected \"key=value other='text'\""),
        ("faults=unquoted", "invalid format"),
        ("missing.toml", "No such file"),
    ],
)
def test_a_wrong_override_is_named(complaint, override, said):
    line = complaint("--run-config", override)
    assert line.startswith("edgestill: --run-config")
    assert said in line


def test_a_folder_that_is_not_there(complaint, tmp_path):
    assert "no such folder" in complaint(folder=tmp_path / "nowhere")


def test_a_folder_without_a_project(complaint, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "no pyproject.toml there" in complaint(folder=empty)


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("pyproject.toml", "tool.flwr.app", "tool.other.app", "Missing [tool.flwr.app] section"),
        ("pyproject.toml", "[project]", "[project", "is no TOML"),
        ("pyproject.toml", "client_app:app", "client_app", "expected 'module:attribute'"),
        ("pyproject.toml", "client_app:app", "client_app:ap", "Unable to load attribute ap"),
        ("pyproject.toml", "client_app:app", "nowhere:app", "No module named 'faulty.nowhere'"),
        ("pyproject.toml", "server_app:app", "server_app:main", "function; expected a ServerApp"),
        ("pyproject.toml", "client_app:app", "server_app:app", "ServerApp; expected a ClientApp"),
        ("faulty/client_app.py", "import time", "import tme", "No module named 'tme'; /"),
        ("faulty/client_app.py", "import time", "import (", "SyntaxError"),
        ("faulty/server_app.py", "app = ServerApp()", "raise SystemExit", "SystemExit"),
    ],
)
def test_an_app_that_cannot_be_loaded_is_one_line(app, complaint, file, old, new, said):
    replace(app / file, old, new)
    assert said in complaint()


def test_a_folder_that_holds_something_is_not_written_to(app, tmp_path, capsys):
    given = ["flower", "run", str(app), "--devices", "2", "--out", str(app)]
    assert cli._guarded(lambda: cli.app(given, standalone_mode=False)) == 2
    assert "not empty" in capsys.readouterr().err


def test_the_same_reading_without_the_command_line(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        read_project(tmp_path / "nowhere")
