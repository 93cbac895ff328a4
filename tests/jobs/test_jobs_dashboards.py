"""`edgestill dashboards`: what is committed is what it makes, and --check finds what is not."""

import importlib.util
import sys
from pathlib import Path

import pytest

from edgestill.jobs import cli
from edgestill.monitoring import generated

COMMITTED = Path(__file__).parents[2] / "dashboards"


@pytest.fixture
def edgestill(capsys):
    def run(*arguments):
        given = [str(argument) for argument in arguments]
        code = cli._guarded(lambda: cli.app(given, standalone_mode=False))
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_what_is_committed_is_up_to_date(edgestill):
    assert edgestill("dashboards", "--check", "--out", COMMITTED) == (0, "", "")


def test_everything_below_dashboards_is_made_but_the_tests_of_the_rules_and_pictures():
    made = {COMMITTED / name for name in generated()}
    pictures = set((COMMITTED / "pictures").iterdir())
    there = {path for path in COMMITTED.rglob("*") if path.is_file()} - pictures
    assert there - made == {COMMITTED / "prometheus" / "tests" / "edgestill.yml"}
    assert made <= there


def test_the_default_folder_is_dashboards_here(edgestill, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = edgestill("dashboards")
    assert (code, err) == (0, "")
    assert out == f"{len(generated())} files in dashboards\n"
    for name, text in generated().items():
        assert (tmp_path / "dashboards" / name).read_text() == text
    assert edgestill("dashboards", "--check") == (0, "", "")


def outdate(path):
    path.write_text(path.read_text().replace("edgestill", "edgestil", 1))


@pytest.mark.parametrize("spoil", [outdate, Path.unlink])
@pytest.mark.parametrize("name", ["grafana/fleet.json", "prometheus/rules/edgestill.yml"])
def test_check_names_the_first_file_that_is_out_of_date(edgestill, tmp_path, spoil, name):
    edgestill("dashboards", "--out", tmp_path)
    spoil(tmp_path / name)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    code, out, err = edgestill("dashboards", "--check", "--out", tmp_path)
    assert (code, out) == (2, "")
    assert err == (
        f"edgestill: {tmp_path / name}: out of date; make it again with: edgestill dashboards\n"
    )
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_a_folder_that_cannot_be_written_is_told_in_one_line(edgestill, tmp_path):
    (tmp_path / "file").write_text("")
    code, out, err = edgestill("dashboards", "--out", tmp_path / "file")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "cannot be written" in err


def test_without_grafanas_sdk_one_line_says_what_to_install(edgestill, tmp_path, monkeypatch):
    for module in [name for name in sys.modules if name.startswith("edgestill.monitoring.")]:
        if module.rpartition(".")[2] in {"grafana", "draw"}:
            monkeypatch.delitem(sys.modules, module)
    assert importlib.util.find_spec("grafana_foundation_sdk") is not None
    hidden = "grafana_foundation_sdk.builders"
    for module in [name for name in sys.modules if name.startswith("grafana_foundation_sdk")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "grafana_foundation_sdk", None)
    monkeypatch.setitem(sys.modules, hidden, None)
    code, out, err = edgestill("dashboards", "--out", tmp_path)
    assert (code, out) == (2, "")
    assert err == (
        "edgestill: dashboards are made with grafana-foundation-sdk: "
        "pip install 'edgestill[cloud]'\n"
    )
