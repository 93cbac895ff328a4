"""What a job is: the command that a head's shell runs, and what is said about it."""

import os
import shutil
import subprocess

import pytest

from edgestill.actors import submission
from edgestill.config import digest, dump, load
from edgestill.errors import InputError
from edgestill.jobs import run_folder
from edgestill.jobs.submission import job as job_module
from edgestill.jobs.submission import new_job, resumed_job
from edgestill.jobs.submission.job import git_revision

IN_A_JOB = '{"metadata": {"job_submission_id": "one", %s}, "runtime_env": {%s}}'


@pytest.fixture
def job(tiny_config, tmp_path):
    return new_job(tiny_config(), storage="~/edgestill/runs", working_tree=tmp_path)


@pytest.fixture
def shell(tmp_path):
    """Run an entrypoint in a job's folder with a python that only says what it was given."""
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin" / "python"
    python.write_text('#!/bin/sh\npwd\nprintf "%s\\n" "$@"\n')
    python.chmod(0o755)
    (tmp_path / "sent").mkdir()
    (tmp_path / "sent" / "config.yaml").write_text("name: tiny\n")

    def run(entrypoint):
        return subprocess.run(  # noqa: S602 - as Ray runs it
            entrypoint,
            shell=True,
            cwd=tmp_path / "sent",
            env={"PATH": f"{python.parent}:/usr/bin:/bin", "HOME": str(tmp_path / "home")},
            capture_output=True,
            text=True,
            timeout=20,
        )

    return run


def test_the_command_keeps_inputs_and_run_in_the_heads_home(job, shell, tmp_path):
    done = shell(job.entrypoint)
    storage = tmp_path / "home" / "edgestill" / "runs"
    where, *arguments = done.stdout.splitlines()
    assert where == str(storage / "inputs" / job.id)
    assert (storage / "inputs" / job.id / "config.yaml").read_text() == "name: tiny\n"
    expected = ["-m", "edgestill.jobs.cli", "run", "config.yaml", "--out", str(storage / job.id)]
    assert arguments == expected


def test_storage_is_a_word_whatever_it_is_called(tiny_config, shell, tmp_path):
    storage = tmp_path / "two words; exit 9 #"
    job = new_job(tiny_config(), storage=str(storage), working_tree=tmp_path)
    done = shell(job.entrypoint)
    assert done.stdout.splitlines()[-1] == str(storage / job.id)


@pytest.mark.parametrize("storage", ["runs", "./runs", "", "~other/runs"])
def test_storage_must_be_absolute(tiny_config, tmp_path, storage):
    with pytest.raises(InputError, match=r"--storage .*: expected an absolute path"):
        new_job(tiny_config(), storage=storage, working_tree=tmp_path)


def test_metadata_say_what_the_job_is(job, tiny_config, tmp_path):
    (tmp_path / "again.yaml").write_text(job.metadata["configuration"])
    assert load(tmp_path / "again.yaml") == tiny_config()
    assert job.metadata["name"] == "tiny"
    assert job.metadata["config_digest"] == digest(tiny_config())
    assert job.metadata["folder"] == f"~/edgestill/runs/{job.id}"
    assert "git_revision" not in job.metadata
    assert all(isinstance(value, str) for value in job.metadata.values())


def test_two_jobs_of_one_configuration_differ(tiny_config, tmp_path):
    ids = {new_job(tiny_config(), storage="/r", working_tree=tmp_path).id for _ in range(2)}
    assert len(ids) == 2


def test_a_long_configuration_does_not_burst_rays_environment(tiny_config, tmp_path, monkeypatch):
    monkeypatch.setattr(job_module, "LARGEST_CONFIGURATION_CHARACTERS", 100)
    job = new_job(tiny_config(), storage="/runs", working_tree=tmp_path)
    expected = f"{len(dump(tiny_config()))} characters; see config.yaml in the folder"
    assert job.metadata["configuration"] == expected


def test_the_command_that_takes_a_job_up_again(job, shell, tmp_path):
    shell(job.entrypoint)
    again = resumed_job(job.id, {**job.metadata, "job_submission_id": job.id, "job_name": job.id})
    where, *arguments = shell(again.entrypoint).stdout.splitlines()
    storage = tmp_path / "home" / "edgestill" / "runs"
    assert where == str(storage / "inputs" / job.id)
    assert arguments == ["-m", "edgestill.jobs.cli", "run", "--resume", str(storage / job.id)]
    assert again.id != job.id
    assert again.metadata == {**job.metadata, "resumed_from": job.id}


def test_a_job_of_another_kind_is_not_taken_up():
    with pytest.raises(InputError, match=r"--resume other: not a job of edgestill submit"):
        resumed_job("other", {"job_submission_id": "other"})


@pytest.fixture
def tree(tmp_path):
    folder = tmp_path / "tree"
    folder.mkdir()
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}

    def git(*arguments):
        who = ["-c", "user.name=n", "-c", "user.email=e@x"]
        subprocess.run(  # noqa: S603 - our own tree
            [shutil.which("git"), *who, *arguments],
            cwd=folder,
            env=environment,
            check=True,
            capture_output=True,
        )

    git("init")
    (folder / "file").write_text("one")
    git("add", "file")
    git("commit", "-m", "one")
    return folder


def test_the_git_revision_says_whether_the_tree_was_changed(tree):
    clean = git_revision(tree)
    assert clean is not None
    assert len(clean) == 40
    (tree / "file").write_text("two")
    assert git_revision(tree) == f"{clean}-dirty"


def test_there_is_no_revision_outside_a_tree(tmp_path, tree, monkeypatch):
    assert git_revision(tmp_path) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_revision(tree) is None


def test_a_process_knows_whether_it_is_a_jobs_driver(monkeypatch):
    monkeypatch.delenv("RAY_JOB_CONFIG_JSON_ENV_VAR", raising=False)
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.5:6379")
    assert submission() is None
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", '{"runtime_env": {}}')
    assert submission() is None
    given = IN_A_JOB % ('"resumed_from": "zero"', "")
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", given)
    found = submission()
    assert found is not None
    assert (found.id, found.address, found.brings_folder) == ("one", "10.0.0.5:6379", True)
    given = IN_A_JOB % ('"resumed_from": "zero"', '"working_dir": "gcs://x"')
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", given)
    assert not submission().brings_folder


def test_a_jobs_run_is_by_default_kept_in_the_heads_home(tiny_config, tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.5:6379")
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", IN_A_JOB % ('"name": "x"', ""))
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = run_folder.create(tiny_config(), None)
    assert folder.path == tmp_path / "edgestill" / "runs" / "one"
