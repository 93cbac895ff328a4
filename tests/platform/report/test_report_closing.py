from typing import Any

from rich.console import Console

from edgestill.report import SCHEMA, closing_table


def shown(report: dict[str, Any], width: int = 100) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(closing_table(report))
    return capture.get()


def line_with(text: str, start: str) -> str:
    return next(line for line in text.splitlines() if line.strip().startswith(start))


def test_results_claims_levels_totals_and_privacy_fit_in_100_columns(
    sample_report: dict[str, Any],
) -> None:
    text = shown(sample_report)
    assert max(map(len, text.splitlines())) <= 100
    assert "…" not in text
    assert line_with(text, "teacher").split()[-2:] == ["+3.6", "-"]
    assert line_with(text, "fedavg").split()[-3:] == ["-5.1", "51", "MB"]
    assert " holds " in line_with(text, "within 5 points")
    assert "does not hold" in line_with(text, "above federated")
    assert line_with(text, "medium").split() == [
        *("medium", "visual,", "audio", "50", "%,", "sensor", "0.75", "8", "35,022"),
        *("2", "35", "89.9", "%"),
    ]
    assert line_with(text, "all ").split() == ["all", "40.9", "MB", "68.8", "MB"]
    assert "4.38" in line_with(text, "summary                ")
    assert "unbounded" in line_with(text, ["update", "clipped"][0] + "                 ")
    assert line_with(text, "virtual time").split()[-4:] == ["6", "min", "50", "s"]


def test_staleness_is_told_of_buffered_rounds_only(sample_report: dict[str, Any]) -> None:
    assert "staleness" not in shown(sample_report)
    for updates, mean, most, row in zip(
        (1, 3), (4.0, 2.0), (4, 5), sample_report["rounds"][:2], strict=True
    ):
        row["buffer"] = {"updates": updates, "staleness_mean": mean, "staleness_max": most}
    text = shown(sample_report)
    assert line_with(text, "staleness of updates, mean").split()[-1] == "2.5"
    assert line_with(text, "staleness of updates, most").split()[-1] == "5"


def test_personal_and_global_students_stand_side_by_side(sample_report: dict[str, Any]) -> None:
    assert "held out" not in shown(sample_report)
    scores = {"accuracy": 0.7, "balanced_accuracy": 0.712, "balanced_accuracy_lowest_tenth": 0.5}
    sample_report["final"]["personal"] = {
        "devices": 48,
        "epochs": 5,
        "global_student": scores,
        "personal_student": {**scores, "balanced_accuracy": 0.801},
        "balanced_accuracy_gain": 0.089,
        "devices_better": 31,
        "devices_worse": 4,
    }
    text = shown(sample_report)
    assert max(map(len, text.splitlines())) <= 100
    assert "on what each of 48 devices held out" in text
    assert line_with(text, "global  ").split()[-7:] == ["71.2", "%", "50.0", "%", "-", "-", "-"]
    assert line_with(text, "personal  ").split()[-5:] == ["50.0", "%", "+8.9", "31", "4"]


def test_totals_by_kind_in_final_win_over_the_rounds(sample_report: dict[str, Any]) -> None:
    sample_report["final"]["uplink_bytes"] = {"update": 5_000, "summary": 1_000}
    text = shown(sample_report)
    assert line_with(text, "all ").split()[1:3] == ["6", "kB"]


def test_a_bare_report_is_its_heading_and_one_row() -> None:
    bare = {"schema": SCHEMA, "name": "bare", "seed": 3, "rounds": [], "final": {"accuracy": 0.5}}
    text = shown(bare)
    assert "bare  seed 3" in text
    assert "50.0 %" in line_with(text, "ours")
    assert "Claims" not in text
    assert "Privacy" not in text


def test_names_are_not_taken_for_markup(sample_report: dict[str, Any]) -> None:
    sample_report["name"] = "[bold]x[/nope]"
    sample_report["claims"][0]["id"] = "[red]claim[/]"
    text = shown(sample_report)
    assert "[bold]x[/nope]" in text
    assert "[red]claim[/]" in text
