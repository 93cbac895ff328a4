import copy
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgestill.errors import InputError
from edgestill.report import SCHEMA, read_report, versions_and_hardware, write_report

MINIMAL = {"schema": SCHEMA, "name": "bare", "seed": 1, "rounds": [], "final": {}}


def test_what_is_written_is_read(tmp_path: Path, sample_report: dict[str, Any]) -> None:
    json_path, html_path = write_report(tmp_path, sample_report)
    assert (json_path.name, html_path.name) == ("report.json", "report.html")
    assert read_report(tmp_path) == sample_report
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.json"]


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("rounds", 3, "accuracy"), float("nan"), r"rounds\[3\]\.accuracy: nan"),
        (("final", "energy_j"), float("inf"), r"final\.energy_j: inf"),
        (("final", "flops"), np.int64(3), r"final\.flops: int64"),
        (("schema",), "edgestill.report/2", "schema: 'edgestill.report/2'"),
    ],
)
def test_what_strict_json_cannot_carry_is_named_and_nothing_written(
    tmp_path: Path,
    sample_report: dict[str, Any],
    place: tuple[str | int, ...],
    value: object,
    said: str,
) -> None:
    wrong: Any = copy.deepcopy(sample_report)
    inner = wrong
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    with pytest.raises(ValueError, match=said):
        write_report(tmp_path, wrong)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("key", MINIMAL)
def test_a_required_key_is_missed_by_name(tmp_path: Path, key: str) -> None:
    report = {name: value for name, value in MINIMAL.items() if name != key}
    with pytest.raises(ValueError, match=f"^{key}: "):
        write_report(tmp_path, report)


def test_a_failed_write_leaves_the_old_report(
    tmp_path: Path, sample_report: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_report(tmp_path, MINIMAL)

    def full(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(InputError, match=r"report\.json: cannot be written \(No space"):
        write_report(tmp_path, sample_report)
    assert read_report(tmp_path) == MINIMAL
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.json"]


def test_without_plotly_the_figures_are_kept_and_the_remedy_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("html", "document"):
        monkeypatch.delitem(sys.modules, f"edgestill.report.{module}", raising=False)
    for name in [name for name in sys.modules if name.partition(".")[0] == "plotly"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [_NoPlotly(), *sys.meta_path])
    with pytest.raises(InputError, match=r"edgestill\[cloud\]"):
        write_report(tmp_path, MINIMAL)
    assert read_report(tmp_path) == MINIMAL


class _NoPlotly:
    def find_spec(self, name: str, *_: object) -> None:
        if name.partition(".")[0] == "plotly":
            raise ModuleNotFoundError(name, name="plotly")


@pytest.mark.parametrize(
    "text", ["", "[]", '{"schema": "x"}', json.dumps(MINIMAL | {"final": {"a": float("nan")}})]
)
def test_a_file_that_is_no_report_is_one_line_naming_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(InputError, match=r"report\.json: not a report") as caught:
        read_report(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_missing_report_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"report\.json: cannot be read"):
        read_report(tmp_path)


def test_versions_and_hardware_are_plain_and_complete(tmp_path: Path) -> None:
    found = versions_and_hardware()
    write_report(tmp_path, {**MINIMAL, **found})
    assert found["versions"]["torch"].startswith("2.")
    assert found["hardware"].keys() == {"cpu", "cores", "memory_bytes", "platform"}
    assert found["hardware"]["cores"] >= 1
    assert found["hardware"]["cpu"]
