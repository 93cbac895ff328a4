"""The form of benchmarks: what is written, what is refused, what is printed."""

import io
import json

import pytest
from rich.console import Console

from edgestill.errors import InputError
from edgestill.jobs import benchmarks, cli
from edgestill.jobs.benchmarks.form import (
    SCHEMA,
    Measured,
    ResultTable,
    at_least,
    at_most,
    print_claims,
    print_tables,
    write_benchmark,
)

CLAIMS = [at_least("gain", 0.03, 0.02, "ratio"), at_most("delay_ms", 120.0, 100.0, "ms")]


def write(out, **changes):
    given = {"configuration": {"devices": 3}, "results": {"a": 1.5}, "claims": CLAIMS}
    return write_benchmark(out, "sample", command="edgestill bench sample", **given | changes)


@pytest.fixture
def bench(monkeypatch, capsys, tmp_path):
    """Run `edgestill bench` with one benchmark that takes no time."""

    def measure(*, quick, quiet):
        return Measured(
            configuration={"quick": quick},
            results={"quiet": quiet},
            claims=CLAIMS,
            files={"sample.png": b"a figure"},
        )

    monkeypatch.setattr(benchmarks, "BENCHMARKS", {"sample": measure, "other": measure})

    def run(*arguments):
        given = ["bench", *map(str, arguments)]
        code = cli._guarded(lambda: cli.app(given, standalone_mode=False))
        return code, *capsys.readouterr()

    return run


def test_claims_hold_or_do_not():
    assert [claim.holds for claim in CLAIMS] == [True, False]
    assert at_least("x", 2.0, 2.0, "").holds
    assert at_most("x", 2.0, 2.0, "").holds


@pytest.mark.parametrize("claim", [at_least, at_most])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_was_not_measured_never_holds(claim, value):
    made = claim("x", value, 1.0, "s")
    assert (made.value, made.holds) == (None, False)


def test_the_file_says_what_was_measured_where_and_with_what(tmp_path):
    document = json.loads(write(tmp_path / "new").read_text())
    assert document["schema"] == SCHEMA == "edgestill.bench/1"
    assert {"python", "torch", "numpy"} <= document["versions"].keys()
    assert document["hardware"]["cores"] >= 1
    assert document["command"] == "edgestill bench sample"
    assert document["configuration"] == {"devices": 3}
    assert document["claims"][1] == {
        "id": "delay_ms",
        "value": 120.0,
        "target": 100.0,
        "unit": "ms",
        "holds": False,
    }


def test_earlier_figures_are_replaced_and_other_files_are_not(tmp_path):
    write(tmp_path)
    assert json.loads(write(tmp_path, results={"a": 2}).read_text())["results"] == {"a": 2}
    assert [path.name for path in tmp_path.iterdir()] == ["sample.json"]
    (tmp_path / "sample.json").write_text('{"mine": 1}')
    with pytest.raises(InputError, match=r"sample\.json: holds something other"):
        write(tmp_path)
    assert (tmp_path / "sample.json").read_text() == '{"mine": 1}'


def test_a_figure_that_is_none_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write(tmp_path, results={"a": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        write(tmp_path / "file")


def test_a_claim_that_fails_is_shown_as_such():
    console = Console(file=io.StringIO(), width=100)
    print_claims(console, CLAIMS)
    gain, delay = console.file.getvalue().splitlines()[-2:]
    assert "gain" in gain
    assert " holds" in gain
    assert "does not hold" in delay


def test_results_are_shown_in_tables_with_numbers_to_the_right():
    console = Console(file=io.StringIO(), width=100)
    rows = [("ours", "9.5", "[bold]"), ("Flower", "12.5", "-")]
    print_tables(console, [ResultTable(title="rates", columns=("side", "per s", ""), rows=rows)])
    lines = console.file.getvalue().splitlines()
    assert lines[0].strip() == "rates"
    ours, flower = (next(line for line in lines if name in line) for name in ("ours", "Flower"))
    assert ours.index("9.5") + 3 == flower.index("12.5") + 4
    assert "[bold]" in ours


def test_the_command_exits_0_even_if_a_claim_fails(bench, tmp_path):
    code, printed, errors = bench("sample", "--quick", "--out", tmp_path)
    assert (code, errors) == (0, "")
    assert "does not hold" in printed
    document = json.loads((tmp_path / "sample.json").read_text())
    assert document["configuration"] == {"quick": True}
    assert [claim["id"] for claim in document["claims"]] == ["gain", "delay_ms"]
    assert (tmp_path / "sample.png").read_bytes() == b"a figure"
    assert str(tmp_path / "sample.png") in printed


def test_an_unknown_name_lists_those_there_are(bench):
    code, printed, errors = bench("nope")
    assert (code, printed) == (2, "")
    assert errors == "edgestill: unknown benchmark 'nope'; known: sample, other\n"
