"""Runs taken up again in this process: from any round, and when there is nothing left to do."""

import shutil

import pytest

from edgestill.errors import CheckpointError
from edgestill.jobs import main_job, run_folder
from edgestill.report import read_report


@pytest.fixture
def complete(reference_folder, tmp_path):
    """A copy of a complete run."""
    return shutil.copytree(reference_folder, tmp_path / "complete")


def resume(folder, from_round=None):
    reopened, checkpoint = run_folder.reopen(folder, from_round=from_round)
    return main_job.run_job(reopened, resume_from=checkpoint, quiet=True)


def test_a_complete_run_ends_at_once_with_the_same_result(run_here, complete, reference):
    again = resume(complete)
    assert again["final"] == reference["final"]
    assert again["rounds"] == reference["rounds"]
    assert read_report(complete)["final"] == reference["final"]


def test_an_earlier_round_leads_to_the_same_result(run_here, complete, reference):
    again = resume(complete, from_round=3)
    assert [row["round"] for row in again["rounds"]] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert again["final"] == reference["final"]


def test_a_damaged_checkpoint_is_passed_over_and_said(complete, caplog):
    newest = complete / "checkpoints" / "round-000008.safetensors"
    newest.write_bytes(newest.read_bytes()[:1000])
    with caplog.at_level("WARNING"):
        _, checkpoint = run_folder.reopen(complete, from_round=None)
    assert checkpoint.round_number == 7
    assert "round-000008.safetensors: damaged" in caplog.text


def test_a_checkpoint_of_another_configuration_is_refused(complete):
    config = complete / "config.yaml"
    config.write_text(config.read_text().replace("seed: 7", "seed: 8"))
    with pytest.raises(CheckpointError, match="written by configuration"):
        run_folder.reopen(complete, from_round=None)
