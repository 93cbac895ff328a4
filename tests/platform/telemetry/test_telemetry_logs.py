import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgestill.errors import InputError
from edgestill.telemetry import configure_logging, log_fields

LOG = logging.getLogger("edgestill.somewhere")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger("edgestill")
    handlers, level = list(root.handlers), root.level
    yield
    for handler in [handler for handler in root.handlers if handler not in handlers]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)


def test_lines_carry_round_device_and_stage_in_that_order(tmp_path: Path) -> None:
    configure_logging(tmp_path / "run.log", quiet=True)
    with log_fields(stage="train", device=17), log_fields(round_number=0):
        LOG.info("loss %.1f", 0.5)
    LOG.info("after")
    inside, after = (tmp_path / "run.log").read_text().splitlines()
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    assert re.fullmatch(rf"{stamp} INFO round=0 device=17 stage=train loss 0\.5", inside)
    assert re.fullmatch(rf"{stamp} INFO after", after)


def test_inner_fields_win_and_end_even_after_an_error(tmp_path: Path) -> None:
    configure_logging(tmp_path / "run.log", quiet=True)
    with log_fields(round_number=1, stage="outer"):
        with pytest.raises(ZeroDivisionError), log_fields(stage="inner"):
            LOG.info("a %s", 1 / int(LOG.isEnabledFor(logging.DEBUG)))
        with log_fields(stage="inner"):
            LOG.info("a")
        LOG.info("b")
    first, second = (tmp_path / "run.log").read_text().splitlines()
    assert "round=1 stage=inner a" in first
    assert "round=1 stage=outer b" in second


def test_quiet_leaves_only_warnings_on_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(tmp_path / "run.log", quiet=True)
    LOG.info("low")
    LOG.warning("high")
    assert "high" in (shown := capsys.readouterr().err)
    assert "low" not in shown
    assert len((tmp_path / "run.log").read_text().splitlines()) == 2


def test_a_second_call_replaces_the_first_and_appends(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(tmp_path / "run.log")
    LOG.info("one")
    configure_logging(tmp_path / "run.log")
    LOG.info("two")
    assert len((tmp_path / "run.log").read_text().splitlines()) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_a_log_that_cannot_be_written_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere/run\.log"):
        configure_logging(tmp_path / "nowhere" / "run.log")
