"""Checkpoints on disk, and runs that are taken up again."""

import logging
import os

import numpy as np
import pytest
from safetensors.numpy import save_file

from edgestill.errors import CheckpointError
from edgestill.federation import Checkpoint, CheckpointFolder


@pytest.fixture
def folder(tmp_path):
    """Three rounds' checkpoints."""
    kept = CheckpointFolder(tmp_path / "checkpoints", "abc")
    for round_number in (1, 2, 3):
        kept.save(checkpoint(round_number))
    return kept


def checkpoint(round_number):
    return Checkpoint(
        round_number=round_number,
        arrays={
            "w": np.arange(6, dtype=np.float32).reshape(2, 3).T * round_number,
            "scalar": np.array(round_number, np.float64),
            "empty": np.zeros((0, 3), np.int64),
        },
        plain={"rows": [{"accuracy": 0.1, "text": "ä"}] * round_number, "none": None},
    )


def assert_same(left, right):
    assert left.round_number == right.round_number
    assert left.plain == right.plain
    assert left.arrays.keys() == right.arrays.keys()
    for name, array in left.arrays.items():
        np.testing.assert_array_equal(array, right.arrays[name])
        assert array.dtype == right.arrays[name].dtype


def path_of(tmp_path, round_number):
    return tmp_path / "checkpoints" / f"round-{round_number:06d}.safetensors"


def test_the_newest_comes_back_or_the_newest_up_to_a_round(folder):
    assert_same(folder.newest(), checkpoint(3))
    assert_same(folder.newest(at_most=2), checkpoint(2))
    assert_same(folder.newest(at_most=99), checkpoint(3))
    with pytest.raises(CheckpointError, match="no usable checkpoint up to round 0"):
        folder.newest(at_most=0)


def test_rounds_are_compared_as_numbers_and_strangers_ignored(folder, tmp_path):
    folder.save(checkpoint(10))
    (tmp_path / "checkpoints" / "round-000011.partial").write_bytes(b"half")
    (tmp_path / "checkpoints" / "notes.txt").write_text("mine")
    assert folder.newest().round_number == 10


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path):
    path.write_bytes(b"")


def flip_a_number(path):
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(bytes(data))


def flip_a_row(path):
    data = path.read_bytes()
    assert b"0.1" in data
    path.write_bytes(data.replace(b"0.1", b"0.9"))


def no_checkpoint_at_all(path):
    save_file({"w": np.zeros(3, np.float32)}, path)


def a_folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "damage", [truncate, empty, flip_a_number, flip_a_row, no_checkpoint_at_all, a_folder]
)
def test_a_damaged_one_is_passed_over_for_the_one_before_and_said(folder, tmp_path, caplog, damage):
    damage(path_of(tmp_path, 3))
    with caplog.at_level(logging.WARNING, logger="edgestill"):
        assert_same(folder.newest(), checkpoint(2))
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert str(path_of(tmp_path, 3)) in record.getMessage()
    assert "taking the checkpoint before it" in record.getMessage()
    assert "\n" not in record.getMessage()


def test_when_all_are_damaged_there_is_none(folder, tmp_path):
    for round_number in (1, 2, 3):
        truncate(path_of(tmp_path, round_number))
    with pytest.raises(CheckpointError, match=r"no usable checkpoint$"):
        folder.newest()


def test_no_folder_and_an_empty_folder(tmp_path):
    with pytest.raises(CheckpointError, match="no such folder; --resume takes"):
        CheckpointFolder(tmp_path / "absent", "abc").newest()
    with pytest.raises(CheckpointError, match="no usable checkpoint"):
        CheckpointFolder(tmp_path, "abc").newest()


def test_another_configuration_is_refused(folder, tmp_path):
    with pytest.raises(CheckpointError, match=r"written by configuration abc, this one is xyz"):
        CheckpointFolder(tmp_path / "checkpoints", "xyz").newest()


def test_writing_is_all_or_nothing(folder, tmp_path, monkeypatch):
    before = path_of(tmp_path, 3).read_bytes()

    def power_cut(source, target):
        raise OSError("power cut")

    monkeypatch.setattr(os, "replace", power_cut)
    with pytest.raises(OSError, match="power cut"):
        folder.save(Checkpoint(round_number=3, arrays={"w": np.zeros(2)}, plain={}))
    assert path_of(tmp_path, 3).read_bytes() == before
    assert_same(folder.newest(), checkpoint(3))


def test_state_without_a_json_form_is_never_written(folder):
    with pytest.raises(ValueError, match="JSON"):
        folder.save(Checkpoint(round_number=4, arrays={}, plain={"loss": float("nan")}))
    assert folder.newest().round_number == 3


def comparable(rows):
    return [{key: value for key, value in row.items() if key != "wall_s"} for row in rows]


def counted(store):
    """All metrics but those that tell wall time and those that each round sets anew."""
    lines = store.exposition().decode().splitlines()
    passing = ("wall", "timestamp", '{device="')
    return [line for line in lines if not any(word in line for word in passing)]


@pytest.mark.parametrize(
    ("strategy", "knowledge"),
    [("FedAvg", "relevance"), ("FedAdam", "none"), ("FedMedian", "none")],
)
def test_a_run_resumed_from_any_round_equals_an_uninterrupted_one(
    federate, tiny_config, tmp_path, strategy, knowledge
):
    # Load and availability move, so the fleet's clock and the allocator's memory matter.
    walk = {"kind": "walk", "low": 0.1, "high": 0.95, "step_s": 1.0}
    config = tiny_config(
        knowledge={"selection": knowledge},
        federation={"rounds": 4, "strategy": strategy, "fraction": 0.8},
        fleet={
            "groups": [
                {"name": "phones", "profile": "phone", "load": walk},
                {"name": "boards", "profile": "single_board_computer"},
                {"name": "watches", "profile": "wearable", "load": walk},
            ]
        },
    )
    whole = federate(config, folder=tmp_path)
    assert [row["round"] for row in whole.rows] == [1, 2, 3, 4]
    for at_most in (1, 2, 3, 4):
        resumed = federate(config, folder=tmp_path, resume=True, at_most=at_most)
        assert [row["round"] for row in resumed.seen.rows] == list(range(at_most + 1, 5))
        assert comparable(resumed.rows) == comparable(whole.rows)
        for name, array in whole.state.arrays.items():
            np.testing.assert_array_equal(resumed.state.arrays[name], array)
        np.testing.assert_array_equal(resumed.state.selected_classes, whole.state.selected_classes)
        assert resumed.state.decision == whole.state.decision
        assert counted(resumed.store) == counted(whole.store)


def test_a_run_goes_on_from_before_a_damaged_checkpoint(federate, plain_config, tmp_path, caplog):
    config = plain_config(federation={"rounds": 3})
    whole = federate(config, folder=tmp_path)
    truncate(tmp_path / "round-000003.safetensors")
    with caplog.at_level(logging.WARNING, logger="edgestill"):
        resumed = federate(config, folder=tmp_path, resume=True)
    assert "damaged" in caplog.text
    assert [row["round"] for row in resumed.seen.rows] == [3]
    assert all(
        np.array_equal(resumed.state.arrays[name], array)
        for name, array in whole.state.arrays.items()
    )


def test_a_second_run_in_the_same_process_equals_the_first(federate, plain_config):
    """The fleet's clock and batteries belong to a run, not to the process."""
    config = plain_config()
    first, second = federate(config), federate(config)
    assert comparable(first.rows) == comparable(second.rows)
    assert all(
        np.array_equal(first.state.arrays[name], second.state.arrays[name])
        for name in first.state.arrays
    )
