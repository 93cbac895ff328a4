from typing import Any

from edgestill.report.decisions import change_table


def test_each_change_says_from_what_to_what_and_why(sample_report: dict[str, Any]) -> None:
    sample_report["rounds"][3]["decision_states"] = {"phones": "fresh"}
    rows = change_table(sample_report).rows
    phones = [row for row in rows if row[1] == "phones"]
    assert phones[0][0] == "3"
    assert phones[1] == ("4", "phones", "medium to critical", "fresh", "cpu 0.93 above 0.90")
    assert len(rows) == sum(len(entry["changed"]) for entry in sample_report["rounds"])


def test_what_is_left_out_is_counted(sample_report: dict[str, Any]) -> None:
    every = change_table(sample_report)
    some = change_table(sample_report, most=2)
    assert some.rows == every.rows[:2]
    assert f"{len(every.rows) - 2} more" in some.title
    assert "more" not in every.title


def test_a_run_without_changes_has_no_rows(sample_report: dict[str, Any]) -> None:
    for entry in sample_report["rounds"]:
        entry["changed"] = []
    assert change_table(sample_report).rows == ()
