"""The archive of artefacts: what goes in, and that nothing else ever comes out."""

from zipfile import ZipFile

import pytest

from edgestill.errors import InputError, RunError
from edgestill.jobs.submission import ARTEFACTS, artefacts, pack, unpack


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "round-000001.safetensors").write_bytes(bytes(100))
    for name in ARTEFACTS:
        (folder / name).write_bytes(name.encode() + bytes(range(256)))
    return folder


@pytest.fixture
def archive(tmp_path):
    return tmp_path / "artefacts.zip"


def test_artefacts_come_out_as_they_went_in_and_checkpoints_stay(run, archive, tmp_path):
    pack(run, archive)
    fetched = unpack(archive, tmp_path / "out")
    assert {path.name for path in fetched} == set(ARTEFACTS)
    assert all(path.read_bytes() == (run / path.name).read_bytes() for path in fetched)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(ARTEFACTS)


def test_a_run_that_failed_early_gives_what_it_has(run, archive, tmp_path):
    (run / "report.json").unlink()
    (run / "report.html").unlink()
    pack(run, archive)
    names = {path.name for path in unpack(archive, tmp_path / "out")}
    assert names == {"run.log", "config.yaml", "metrics.prom"}


def test_what_cannot_be_packed_is_said_and_fails_nothing(run, tmp_path, caplog):
    with caplog.at_level("WARNING"):
        pack(run, tmp_path / "nowhere" / "artefacts.zip")
    assert f"the artefacts stay in {run}" in caplog.text


def test_other_names_stay_in_the_archive(archive, tmp_path):
    with ZipFile(archive, "w") as target:
        for name in ("../escaped", "/tmp/absolute", "sub/report.json", "evil.py", "run.log"):  # noqa: S108
            target.writestr(name, name)
    assert [path.name for path in unpack(archive, tmp_path / "deep" / "out")] == ["run.log"]
    assert {p.name for p in tmp_path.rglob("*")} == {"artefacts.zip", "deep", "out", "run.log"}


def test_a_bomb_is_refused_before_it_is_whole(archive, tmp_path, monkeypatch):
    monkeypatch.setattr(artefacts, "LARGEST_FILE_BYTES", 1000)
    with ZipFile(archive, "w", compression=8) as target:
        target.writestr("run.log", bytes(1_000_000))
    with pytest.raises(RunError, match=r"run\.log in the archive exceeds"):
        unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("spoil", [lambda b: b"", lambda b: b[:50], lambda b: b"{}" + b[60:-40]])
def test_a_damaged_archive_is_one_line(run, archive, tmp_path, spoil):
    pack(run, archive)
    archive.write_bytes(spoil(archive.read_bytes()))
    with pytest.raises(RunError, match="the archive that the head sent is damaged"):
        unpack(archive, tmp_path / "out")


@pytest.mark.parametrize(("offset", "value"), [(8, 1), (10, 97)], ids=["encrypted", "unknown"])
def test_an_archive_that_is_encrypted_or_coded_in_an_unknown_way(
    run, archive, tmp_path, offset, value
):
    pack(run, archive)
    content = bytearray(archive.read_bytes())
    # Flags and method of the first entry in the central directory.
    content[content.index(b"PK\x01\x02") + offset] = value
    archive.write_bytes(content)
    with pytest.raises(RunError, match="the archive that the head sent is damaged"):
        unpack(archive, tmp_path / "out")


def test_a_changed_byte_is_found(run, archive, tmp_path):
    pack(run, archive)
    content = bytearray(archive.read_bytes())
    content[60] ^= 0xFF
    archive.write_bytes(content)
    with pytest.raises(RunError, match="damaged"):
        unpack(archive, tmp_path / "out")


def test_a_folder_that_holds_something_is_left_alone(run, archive, tmp_path):
    pack(run, archive)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "run.log").write_text("mine")
    for out in (tmp_path / "mine", tmp_path / "mine" / "run.log"):
        with pytest.raises(InputError, match="is not an empty folder"):
            unpack(archive, out)
    assert (tmp_path / "mine" / "run.log").read_text() == "mine"
