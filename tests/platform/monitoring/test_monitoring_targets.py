"""Target files: there as long as a run is, whole at every moment, removed for who cannot."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from edgestill.errors import InputError
from edgestill.monitoring import address_of, announce, announced, state_folder, targets_folder
from edgestill.monitoring.targets import remove_abandoned


def entry_of(path):
    (entry,) = json.loads(path.read_text())
    return entry


def given_labels(path):
    labels = entry_of(path)["labels"]
    return {name: value for name, value in labels.items() if not name.startswith("__")}


def test_a_target_is_there_inside_the_block_only(tmp_path):
    folder = tmp_path / "a" / "targets"
    with announced(folder, "demo-0a1b2c3d", "127.0.0.1:9464", {"tier": "cloud"}) as path:
        assert path == folder / "demo-0a1b2c3d.json"
        assert [one.name for one in folder.iterdir()] == [path.name]
        assert entry_of(path)["targets"] == ["127.0.0.1:9464"]
        assert given_labels(path) == {"run": "demo-0a1b2c3d", "tier": "cloud"}
        values = entry_of(path)["labels"].values()
        assert all(isinstance(value, str) for value in values)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, SystemExit])
def test_a_target_goes_however_the_run_ends(tmp_path, error):
    with pytest.raises(error), announced(tmp_path, "run", "127.0.0.1:1"):
        raise error
    assert list(tmp_path.iterdir()) == []


def test_several_exporters_of_a_run_are_one_file_that_may_be_renewed(tmp_path):
    path = announce(tmp_path / "targets", "serve-a", ["10.0.0.5:1", "10.0.0.6:2"])
    assert entry_of(path)["targets"] == ["10.0.0.5:1", "10.0.0.6:2"]
    assert announce(path.parent, "serve-a", ["10.0.0.6:2"]) == path
    assert entry_of(path)["targets"] == ["10.0.0.6:2"]
    assert given_labels(path) == {"run": "serve-a"}
    assert list(path.parent.iterdir()) == [path]


def test_runs_side_by_side_keep_to_their_own_files(tmp_path):
    with announced(tmp_path, "a", "127.0.0.1:1") as first:
        with announced(tmp_path, "b", "127.0.0.1:2"):
            assert first.exists()
        assert [one.name for one in tmp_path.iterdir()] == ["a.json"]


def test_a_folder_that_cannot_be_written_is_told_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    complaint = r"^telemetry\.targets_path: .*file/run\.json: cannot be written \(.+\)$"
    with pytest.raises(InputError, match=complaint), announced(tmp_path / "file", "run", "a:1"):
        pass


def killed_run(folder):
    """The file of a run that was killed by SIGKILL."""
    script = f"""
        import time
        from pathlib import Path
        from edgestill.monitoring import announced
        with announced(Path({str(folder)!r}), "killed", "127.0.0.1:1"):
            print("here", flush=True)
            time.sleep(60)
    """
    process = subprocess.Popen(  # noqa: S603 - our own script
        [sys.executable, "-c", textwrap.dedent(script)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    return folder / "killed.json"


def test_what_a_killed_run_left_goes_with_the_next_run(tmp_path):
    left = killed_run(tmp_path)
    assert left.exists()
    with announced(tmp_path, "next", "127.0.0.1:2"):
        assert [one.name for one in tmp_path.iterdir()] == ["next.json"]


def test_a_number_that_another_process_has_by_now_does_not_keep_a_file(tmp_path):
    with announced(tmp_path, "live", "127.0.0.1:1") as live:
        entry = entry_of(live)
    entry["labels"]["__edgestill_started__"] = "1.00"
    old = tmp_path / "old.json"
    old.write_text(json.dumps([entry]))
    assert remove_abandoned(tmp_path) == [old]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "not json",
        "{}",
        "[]",
        '[{"targets": ["db:1"]}]',
        '[{"targets": ["db:1"], "labels": {"run": "by hand"}}]',
        '[{"targets": [], "labels": {"__edgestill_host__": "elsewhere"}}]',
        "[" * 70_000,
    ],
)
def test_files_of_others_stay(tmp_path, content):
    path = tmp_path / "other.json"
    path.write_text(content)
    assert remove_abandoned(tmp_path) == []
    assert path.read_text() == content


def test_the_folder_is_given_or_in_the_state_home(monkeypatch, tmp_path):
    assert targets_folder(Path("here")) == Path.cwd() / "here"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert targets_folder() == tmp_path / "edgestill" / "targets"
    monkeypatch.setenv("XDG_STATE_HOME", "")
    assert state_folder() == Path.home() / ".local" / "state" / "edgestill"


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1:80"),
        ("ray", "ray:80"),
        ("0.0.0.0", "127.0.0.1:80"),  # noqa: S104 - not bound
        ("::", "[::1]:80"),
        ("fd00::1", "[fd00::1]:80"),
    ],
)
def test_an_exporter_on_every_address_is_scraped_on_loopback(host, address):
    assert address_of(host, 80) == address
