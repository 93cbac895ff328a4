"""The check of the configuration's PromQL before anything is begun."""

import json
import re
import shutil
import subprocess
import tempfile
from bisect import bisect_left
from pathlib import Path

import promql_parser

from edgestill.allocation.sources import GAUGES
from edgestill.config import SignalsConfig
from edgestill.errors import ConfigurationError

EXPRESSIONS = (*GAUGES, "age_s", "vitals_virtual_s")
"""The keys of ``allocation.signals`` that hold an expression."""

PROMTOOL_TIMEOUT_S = 10.0
MOST_CHARACTERS = 2000
"""Of an expression: thousands of nested brackets would overrun the parser's stack."""


def check_expressions(signals: SignalsConfig) -> None:
    """Find an expression that does not parse, whose types are wrong, or that gives no vector.

    The place is that of ``promtool`` where it is installed; else the first token after which
    nothing that was tried could make the expression whole.

    Raises:
        ConfigurationError: naming the key, the line and the column, from 1 on.
    """
    for name in EXPRESSIONS:
        # Of the same length, so that columns stay what they are.
        expression = getattr(signals, name).replace("$run", "_run")
        if len(expression) > MOST_CHARACTERS:
            raise ConfigurationError(
                f"allocation.signals.{name}: {len(expression)} characters, expected at most "
                f"{MOST_CHARACTERS}; a recording rule can hold what is longer"
            )
        mistake = _mistake(expression)
        if mistake is None:
            continue
        line, column, text = _by_promtool(expression) or (*_place(expression), mistake)
        raise ConfigurationError(
            f"allocation.signals.{name}: line {line}, column {column}: {text}, "
            f"in: {' '.join(getattr(signals, name).split())}"
        )


def _mistake(expression: str) -> str | None:
    try:
        promql_parser.parse(expression)
    except ValueError as error:
        return str(error)
    try:
        # An aggregation takes an instant vector and nothing else.
        promql_parser.parse(f"sum((\n{expression}\n))")
    except ValueError:
        return "gives no instant vector"
    return None


def _by_promtool(expression: str) -> tuple[int, int, str] | None:
    """Return line, column and what is wrong; None if promtool is not there or finds nothing."""
    promtool = shutil.which("promtool")
    if promtool is None:
        return None
    rules = {"groups": [{"name": "g", "rules": [{"record": "r", "expr": expression}]}]}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rules.yml"
        path.write_text(json.dumps(rules))
        try:
            done = subprocess.run(  # noqa: S603 - no shell, and the expression is in a file
                [promtool, "check", "rules", str(path)],
                capture_output=True,
                text=True,
                timeout=PROMTOOL_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
    found = re.search(r"expression: (\d+):(\d+): parse error: (.*)", done.stdout + done.stderr)
    return None if found is None else (int(found[1]), int(found[2]), found[3])


_TOKEN = re.compile(
    r"\s*(\"(?:\\.|[^\"])*\"|'(?:\\.|[^'])*'|`[^`]*`|[\w:.$]+|[=!<>]=|[=!]~|.)", re.DOTALL
)
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_ENDINGS = ("", " x", "[1m]", " x[1m]", '="x"', '"x"', "1m", " 1", " (x)", " 1, x", ", x", ",x[1m]")


def _place(expression: str) -> tuple[int, int]:
    """Return line and column of the first token that nothing tried after it could save."""
    if _parses(expression):
        return 1, 1
    tokens = list(_TOKEN.finditer(expression))
    bad = bisect_left(tokens, True, key=lambda one: not _can_end_well(expression[: one.end()]))
    start = tokens[bad].start(1) if bad < len(tokens) else len(expression)
    before = expression[:start]
    return before.count("\n") + 1, start - (before.rfind("\n") + 1) + 1


def _can_end_well(beginning: str) -> bool:
    closing = ""
    for token in _TOKEN.finditer(beginning):
        if token[1] in _CLOSING:
            closing = _CLOSING[token[1]] + closing
        elif closing and token[1] == closing[0]:
            closing = closing[1:]
    return any(
        _parses(f"{beginning}{ending}{closing}{operand}")
        for ending in _ENDINGS
        for operand in ("", " (x)")
    )


def _parses(expression: str) -> bool:
    try:
        promql_parser.parse(expression)
    except ValueError:
        return False
    return True
