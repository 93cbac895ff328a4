"""The page's options, and what a run tells whoever watches it."""

import logging
import socket
import subprocess
import sys

import pytest

from edgestill.config import dump
from edgestill.errors import RunError
from edgestill.jobs import cli
from edgestill.jobs.live import LivePage, _ended_by, _Lines
from edgestill.jobs.watching import Stages
from edgestill.page import StageAdvanced
from edgestill.telemetry import log_fields


@pytest.fixture
def complaint(capsys, tiny_config, tmp_path):
    """The one line for what is wrong; no folder has been made."""

    def run(*arguments: str) -> str:
        config, out = tmp_path / "config.yaml", tmp_path / "out"
        config.write_text(dump(tiny_config()))
        given = ["run", str(config), "--out", str(out), *arguments]
        code = cli._guarded(lambda: cli.app(given, standalone_mode=False))
        printed, errors = capsys.readouterr()
        assert (code, printed, errors.count("\n")) == (2, "", 1)
        assert not out.exists()
        return errors

    return run


def test_a_port_in_use_is_found_before_anything_is_made(complaint):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = complaint("--ui", "--ui-port", str(port))
    assert said == f"edgestill: --ui-port {port}: in use; give another one, or 0\n"


def test_a_port_without_a_page_is_refused(complaint):
    assert complaint("--ui-port", "8080") == "edgestill: --ui-port needs --ui\n"


def test_a_run_without_a_page_imports_nothing_of_it():
    script = (
        "import sys, edgestill.jobs.main_job, edgestill.jobs.cli;"
        "print([m for m in sys.modules if m.split('.')[0] == 'nicegui' or 'edgestill.page' in m])"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter and script
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout == "[]\n"


@pytest.fixture
def told():
    return []


@pytest.fixture
def stages(told):
    return Stages(quiet=True, audience=LivePage(told.append))


def progress(told):
    return [(one.stage, one.done, one.total, one.detail) for one in told]


def test_a_stage_is_told_from_its_begin_to_its_end(stages, told):
    with stages.show("rounds", total=2) as advance:
        advance("accuracy 50.0%")
        advance("accuracy 60.0%")
    assert all(isinstance(one, StageAdvanced) for one in told)
    assert progress(told) == [
        ("rounds", 0, 2, ""),
        ("rounds", 1, 2, "accuracy 50.0%"),
        ("rounds", 2, 2, "accuracy 60.0%"),
        ("rounds", 2, 2, "accuracy 60.0%"),
    ]


@pytest.mark.parametrize(("total", "steps"), [(None, 0), (40, 11)])
def test_a_stage_that_ends_early_is_over(stages, told, total, steps):
    with stages.show("teacher", total=total) as advance:
        for _ in range(steps):
            advance()
    assert told[-1].done == told[-1].total == max(steps, 1)


def test_a_stage_that_fails_is_not_over(stages, told):
    with pytest.raises(RunError), stages.show("rounds", total=2):
        raise RunError("no device answered")
    assert progress(told) == [("rounds", 0, 2, "")]


def test_a_line_of_the_log_brings_its_fields_and_is_cut(told):
    logger = logging.getLogger("edgestill.test")
    logger.addHandler(handler := _Lines(told.append))
    try:
        with log_fields(round_number=3, device=17, stage="collect"):
            logger.warning("failed: %s", "x" * 10_000)
    finally:
        logger.removeHandler(handler)
    line = told[0]
    assert (line.level, line.round_number, line.device, line.stage) == (
        "WARNING",
        "3",
        "17",
        "collect",
    )
    assert line.text.startswith("failed: xxx")
    assert len(line.text) == 2000


@pytest.mark.parametrize(
    ("error", "outcome", "said"),
    [
        (RunError("no device answered"), "failed", "no device answered"),
        (KeyError("x"), "failed", "KeyError"),
        (KeyboardInterrupt(), "interrupted", "its checkpoints are kept; --resume takes it up"),
    ],
)
def test_how_a_run_ended_is_one_line(error, outcome, said):
    ended = _ended_by(error)
    assert (ended.outcome, ended.said, ended.report) == (outcome, said, None)
