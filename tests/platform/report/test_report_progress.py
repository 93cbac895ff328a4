import io
import logging

import pytest
from rich.console import Console

from edgestill.report import show_progress


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


@pytest.fixture(autouse=True)
def _info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="edgestill")


def test_a_terminal_gets_a_bar_and_no_log(caplog: pytest.LogCaptureFixture) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100)
    with show_progress("rounds [x]", total=3, console=console) as advance:
        advance("accuracy 40.0 %")
        advance("accuracy 50.0 %", steps=2)
    assert "rounds [x]" in out.getvalue()
    assert "3/3" in out.getvalue()
    assert messages(caplog) == []


@pytest.mark.parametrize("quiet", [True, False])
def test_quiet_or_no_terminal_draws_nothing_and_logs_now_and_then(
    caplog: pytest.LogCaptureFixture, quiet: bool
) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=quiet)
    with show_progress("epochs", total=50, quiet=quiet, console=console) as advance:
        for number in range(50):
            advance(f"loss {number}")
    assert out.getvalue() == ""
    assert messages(caplog) == ["epochs 1/50 loss 0", "epochs 50/50 done loss 49"]


def test_lines_come_every_ten_seconds(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter([0.0, 0.0, 0.0, 4.0, 11.0, 11.0, 12.0])
    monkeypatch.setattr("edgestill.report.progress.monotonic", lambda: next(now))
    with show_progress("files", total=None, quiet=True) as advance:
        for _ in range(4):
            advance()
    assert messages(caplog) == ["files 1", "files 3", "files 4 done"]


def test_an_error_inside_passes_and_is_not_called_done(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        with show_progress("rounds", total=2, quiet=True) as advance:
            advance()
            raise RuntimeError("device 3")

    with pytest.raises(RuntimeError, match="device 3"):
        fail()
    assert messages(caplog) == ["rounds 1/2"]
