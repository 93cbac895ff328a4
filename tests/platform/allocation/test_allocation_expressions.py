import shutil
from pathlib import Path

import pytest
from prometheus_server import binary

from edgestill.allocation import check_expressions
from edgestill.config import SignalsConfig
from edgestill.errors import ConfigurationError

WRONG = [
    ("sum(", 1, 5),
    ("rate(x[5m]", 1, 11),
    ("a\n+\nb b", 3, 3),
    ("sum(rate(x[5m]) + )", 1, 19),
    ("x{run=}", 1, 7),
    ("sum by (a (x)", 1, 11),
    ("avg by (group) (x{a='1'} + + ) * 2", 1, 30),
    ('time() - timestamp(x{run="$run"}}', 1, 33),
    ("x > bool y z", 1, 12),
    ("", 1, 1),
]


@pytest.fixture(params=["promtool", "alone"])
def oracle(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whether promtool tells the place, or it is derived without it."""
    if request.param == "promtool":
        binary("promtool")
    else:
        monkeypatch.setattr(shutil, "which", lambda name: None)
    return str(request.param)


def complaint(expression: str, key: str = "cpu_ratio") -> str:
    with pytest.raises(ConfigurationError) as caught:
        check_expressions(SignalsConfig(**{key: expression}))
    text = str(caught.value)
    assert text.startswith(f"allocation.signals.{key}: line ")
    assert "\n" not in text
    return text


def test_the_defaults_are_right(oracle: str) -> None:
    check_expressions(SignalsConfig())


@pytest.mark.parametrize(("expression", "line", "column"), WRONG)
def test_a_mistake_is_found_with_its_key_and_place(
    expression: str, line: int, column: int, oracle: str
) -> None:
    text = complaint(expression, "vitals_virtual_s")
    assert text.startswith(
        f"allocation.signals.vitals_virtual_s: line {line}, column {column}: "
    ), text


def test_wrong_types_are_found(oracle: str) -> None:
    assert "rate" in complaint("rate(x)")
    assert "no_such_function" in complaint("no_such_function(x)")
    assert "2 argument" in complaint("histogram_quantile(x)")


@pytest.mark.parametrize("expression", ["time()", "x[5m]", "1 + 1", "'a'", "scalar(x)"])
def test_what_gives_no_instant_vector_is_refused(expression: str, oracle: str) -> None:
    assert "line 1, column 1: gives no instant vector" in complaint(expression)


def test_a_comment_at_the_end_is_no_mistake(oracle: str) -> None:
    check_expressions(SignalsConfig(cpu_ratio="avg by (group) (x) # of all"))


def test_a_promtool_that_fails_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for script in ("exit 3", "echo nonsense; exit 1"):
        fake = tmp_path / "promtool"
        fake.write_text(f"#!/bin/sh\n{script}\n")
        fake.chmod(0o755)
        monkeypatch.setattr(shutil, "which", lambda name: str(tmp_path / name))
        assert "line 1, column 5" in complaint("sum(")


def test_an_expression_long_enough_to_overrun_the_parser_is_refused() -> None:
    nested = "(" * 100_000 + "x" + ")" * 100_000
    with pytest.raises(ConfigurationError, match="200001 characters, expected at most 2000"):
        check_expressions(SignalsConfig(age_s=nested))
    check_expressions(SignalsConfig(age_s="(" * 999 + "x" + ")" * 999))
