"""The tables that sum a run up; the terminal and the page show the same ones."""

from collections.abc import Iterator, Mapping
from typing import Any

from edgestill.report.schema import Report
from edgestill.report.table import FAILS, HOLDS, Table, table
from edgestill.report.units import NOTHING, amount, duration, number, percent, points, share


def verdict_tables(report: Report) -> list[Table]:
    """Return what came out: accuracies side by side, and the claims."""
    return _filled(_results(report), _personal(report), _claims(report))


def detail_tables(report: Report) -> list[Table]:
    """Return what it took: levels, bytes, energy and time, privacy."""
    return _filled(_levels(report), _traffic(report), _spending(report), _privacy(report))


def _filled(*tables: Table) -> list[Table]:
    return [found for found in tables if found.rows]


def bytes_by_kind(report: Report, key: str) -> dict[str, float]:
    """Return total bytes per kind of ``uplink_bytes`` or ``downlink_bytes`` over all rounds.

    Totals per kind in ``final`` win, since they may hold what was sent outside of rounds.
    """
    total = report["final"].get(key)
    if isinstance(total, Mapping):
        return dict(total)
    sums: dict[str, float] = {}
    for entry in report["rounds"]:
        for kind, value in (entry.get(key) or {}).items():
            sums[kind] = sums.get(kind, 0) + value
    return sums


def total_bytes(report: Report, key: str) -> float | None:
    """Return the total of ``uplink_bytes`` or ``downlink_bytes``, None if nobody counted."""
    total = report["final"].get(key)
    if isinstance(total, int | float):
        return total
    kinds = bytes_by_kind(report, key)
    return sum(kinds.values()) if kinds else None


def _results(report: Report) -> Table:
    ours = report["final"].get("accuracy")
    rows = [
        (
            name,
            note,
            percent(part.get("accuracy")),
            NOTHING if name == "ours" else points(_difference(part.get("accuracy"), ours)),
            amount(_uplink(name, part, report), "B"),
        )
        for name, part, note in _models(report)
    ]
    columns = ("result", "what it is", "accuracy", "vs ours, points", "uplink")
    return table("Accuracy on the test part", columns, rows, texts=2)


def _models(report: Report) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    comparisons = report.get("comparisons") or {}
    local = comparisons.get("local_only") or {}
    low, high = local.get("accuracy_low"), local.get("accuracy_high")
    spread = f", {percent(low)} to {percent(high)}" if None not in (low, high) else ""
    yield "ours", report["final"], "the fleet, distilled from the teacher"
    if report.get("teacher"):
        yield "teacher", report["teacher"], "trained in the cloud on public data"
    if "fedavg" in comparisons:
        yield "fedavg", comparisons["fedavg"], "federated averaging, no teacher"
    if "cloud_only" in comparisons:
        yield "cloud_only", comparisons["cloud_only"], "student distilled on public data alone"
    if local:
        yield "local_only", local, f"each device alone{spread}"


def _personal(report: Report) -> Table:
    """Return both students on what each device held out: means over devices, classes alike."""
    found = report["final"].get("personal") or {}
    notes = {
        "global": "the fleet's",
        "personal": f"{found.get('epochs')} more epochs on each device",
    }
    rows = [
        (
            student,
            note,
            percent(part.get("balanced_accuracy")),
            percent(part.get("balanced_accuracy_lowest_tenth")),
            NOTHING if student == "global" else points(found.get("balanced_accuracy_gain")),
            NOTHING if student == "global" else str(found.get("devices_better")),
            NOTHING if student == "global" else str(found.get("devices_worse")),
        )
        for student, note in notes.items()
        if (part := found.get(f"{student}_student"))
    ]
    columns = ("student", "what it is", "mean", "lowest tenth", "gain, points", "better", "worse")
    title = f"Balanced accuracy on what each of {found.get('devices')} devices held out"
    return table(title, columns, rows, texts=2)


def _uplink(name: str, part: Mapping[str, Any], report: Report) -> float | None:
    value = total_bytes(report, "uplink_bytes") if name == "ours" else part.get("uplink_bytes")
    return sum(value.values()) if isinstance(value, Mapping) else value


def _difference(value: float | None, reference: float | None) -> float | None:
    return None if value is None or reference is None else value - reference


def _claims(report: Report) -> Table:
    rows = [
        (
            str(claim["id"]).replace("_", " "),
            HOLDS if claim["holds"] else FAILS,
            number(claim.get("value")),
            number(claim.get("target")),
            str(claim.get("unit") or NOTHING),
        )
        for claim in report.get("claims") or []
    ]
    return table("Claims", ("claim", "verdict", "measured", "target", "unit"), rows, texts=2)


def _levels(report: Report) -> Table:
    levels = (report.get("student") or {}).get("levels") or {}
    rows = [
        (
            level,
            modalities_text(row.get("modalities") or {}),
            number(row.get("width")),
            number(row.get("bits")),
            number(row.get("parameters")),
            _scaled(row.get("flops_per_sample"), 1e6),
            _scaled(row.get("bytes"), 1e3),
            percent(row.get("accuracy")),
        )
        for level, row in levels.items()
    ]
    columns = ("level", "modalities", "width", "bits", "parameters", "MFLOPs", "kB", "accuracy")
    return table("What each level runs", columns, rows, texts=2)


def modalities_text(modalities: Mapping[str, float]) -> str:
    """Return ``visual, audio 50 %``: the share of the input is said where it is not all of it."""
    parts = [kind if kept >= 1 else f"{kind} {share(kept)}" for kind, kept in modalities.items()]
    return ", ".join(parts) or NOTHING


def _scaled(value: float | None, unit: float) -> str:
    return NOTHING if value is None else f"{value / unit:,.3g}"


def _traffic(report: Report) -> Table:
    up, down = bytes_by_kind(report, "uplink_bytes"), bytes_by_kind(report, "downlink_bytes")
    kinds = list(dict.fromkeys((*up, *down)))
    rows = [(kind, amount(up.get(kind, 0), "B"), amount(down.get(kind, 0), "B")) for kind in kinds]
    if rows:
        totals = (total_bytes(report, "uplink_bytes"), total_bytes(report, "downlink_bytes"))
        rows.append(("all", amount(totals[0], "B"), amount(totals[1], "B")))
    return table("Bytes on the links", ("kind", "uplink", "downlink"), rows)


def _spending(report: Report) -> Table:
    final, data, engine = (report.get(key) or {} for key in ("final", "data", "engine"))
    trainings = engine.get("trainings") or {}
    why = f" ({trainings['reason']})" if trainings.get("reason") else ""
    entries = (
        ("energy of all devices", final.get("energy_j"), lambda value: amount(value, "J")),
        ("compute of all devices", final.get("flops"), lambda value: amount(value, "FLOP")),
        ("virtual time", final.get("time_s"), duration),
        ("devices with data", data.get("devices_with_data"), number),
        ("devices without data (skipped)", data.get("devices_without_data"), number),
        ("trainings, many in a call", trainings.get("vectorized"), number),
        (f"trainings, one by one{why}", trainings.get("one_by_one"), number),
        ("devices lost", engine.get("devices_lost"), number),
        ("actor restarts", engine.get("actor_restarts"), number),
    )
    rows = [(what, text(value)) for what, value, text in entries if value is not None]
    return table("Spent", ("what", "total"), [*rows, *_staleness(report)])


def _staleness(report: Report) -> list[tuple[str, str]]:
    """Return how old the updates of buffered rounds were, in steps of the server."""
    buffers = [row["buffer"] for row in report["rounds"] if row.get("buffer")]
    updates = sum(buffer["updates"] for buffer in buffers)
    if not updates:
        return []
    total = sum(buffer["updates"] * buffer["staleness_mean"] for buffer in buffers)
    longest = max(buffer["staleness_max"] for buffer in buffers)
    return [
        ("staleness of updates, mean steps", number(total / updates)),
        ("staleness of updates, most steps", number(longest)),
    ]


def _privacy(report: Report) -> Table:
    rows = [
        (
            str(row["what"]),
            str(row.get("mechanism") or "none"),
            number(row.get("noise_multiplier")),
            number(row.get("releases")),
            "unbounded" if row.get("epsilon") is None else f"{row['epsilon']:.2f}",
            number(row.get("delta")),
            amount(row.get("bytes"), "B"),
        )
        for row in (report.get("privacy") or {}).get("leaves_device") or []
    ]
    columns = ("what leaves a device", "mechanism", "noise", "releases", "ε", "δ", "bytes")
    return table("Privacy", columns, rows, texts=2)
