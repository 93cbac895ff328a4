"""The top of the page: which run, how far it is, and its main figures."""

from collections.abc import Mapping
from datetime import UTC, datetime

from markupsafe import Markup

from edgestill.page.events import Outcome, RunEnded, StageAdvanced
from edgestill.page.view import RunView
from edgestill.report.units import NOTHING, amount, duration, percent, points

ROUNDS_STAGE = "rounds"
"""The stage in which the federation itself is played."""

_ENDINGS: Mapping[Outcome, str] = {
    "done": "The run is done",
    "failed": "The run has failed",
    "interrupted": "The run was interrupted",
}


def headline(view: RunView) -> Markup:
    """Return the run's name, its state, and where it writes."""
    if view.run is None:
        return Markup("<h1>edgestill</h1>")
    since = datetime.fromtimestamp(view.run.started_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    outcome = "running" if view.end is None else view.end.outcome
    return Markup(
        '<h1>{} <span class="state {}">{}</span></h1>'
        '<p class="soft">{} policy &middot; since {} &middot; <code>{}</code></p>'
    ).format(view.run.name, outcome, outcome, view.run.policy, since, view.run.folder)


def status(view: RunView) -> str:
    """Return one sentence that says what goes on; it changes with the round, not more often."""
    if view.end is not None:
        return _ending(view.end)
    under_way = [stage.stage for stage in view.stages if stage.done != stage.total]
    if not under_way:
        return "The rounds are over." if view.points else "Getting ready."
    if under_way[-1] != ROUNDS_STAGE:
        return f"Under way: {under_way[-1]}."
    of = f"Round {view.round_number} of {view.run.rounds if view.run else 0}"
    if view.participants is not None:
        return f"{of} under way on {view.participants} devices."
    return f"{of} done." if view.points else "The devices say hello."


def _ending(end: RunEnded) -> str:
    where = f" Report: {end.report}" if end.report else ""
    return f"{_ENDINGS[end.outcome]}: {end.said}.{where}"


def stages(view: RunView) -> Markup:
    """Return how far each stage has come."""
    return Markup('<ol aria-label="Stages of the run">{}</ol>').format(
        Markup("").join(_stage(stage) for stage in view.stages)
    )


def _stage(stage: StageAdvanced) -> Markup:
    if stage.total is None:
        bar, count = Markup('<progress aria-label="{}"></progress>').format(stage.stage), ""
    else:
        bar = Markup('<progress aria-label="{}" max="{}" value="{}"></progress>').format(
            stage.stage, stage.total, stage.done
        )
        count = f"{stage.done}/{stage.total}" if stage.total > 1 else ""
    kind = "over" if stage.done == stage.total else "on"
    return Markup(
        '<li class="{}"><b>{}</b> <span>{}</span>{}<span class="soft">{}</span></li>'
    ).format(kind, stage.stage, count, bar, stage.detail or "\N{NO-BREAK SPACE}")


def tiles(view: RunView) -> Markup:
    """Return the run's main figures."""
    made = (
        Markup('<div><dt>{}</dt><dd>{}</dd><dd class="soft">{}</dd></div>').format(*tile)
        for tile in _tiles(view)
    )
    return Markup("<dl>{}</dl>").format(Markup("").join(made))


def _tiles(view: RunView) -> list[tuple[str, str, str]]:
    now = view.points[-1] if view.points else None
    row = view.rows[0] if view.rows else None
    rounds = view.run.rounds if view.run else 0
    took = f"the last took {duration(row['wall_s'])}" if row else "none finished"
    return [
        ("round", f"{view.round_number} / {rounds}", took),
        ("accuracy", percent(now.accuracy if now else None), _gained(view)),
        ("teacher", percent(view.gauges.teacher_accuracy), _gap(view)),
        ("devices", f"{row['completed']} of {row['selected']}" if row else NOTHING, _astray(view)),
        ("sent", amount(now.bytes if now else None, "B"), _uplink(view)),
        ("energy", amount(now.energy_j if now else None, "J"), _last_energy(view)),
        ("virtual time", duration(now.time_s if now else None), _last_duration(view)),
    ]


def _gained(view: RunView) -> str:
    if len(view.rows) < 2:
        return "share of the test part"
    return f"{points(view.rows[0]['accuracy'] - view.rows[1]['accuracy'])} in the last round"


def _gap(view: RunView) -> str:
    teacher = view.gauges.teacher_accuracy
    if teacher is None or not view.points:
        return "not yet known" if teacher is None else "the mark to reach"
    return f"{points(teacher - view.points[-1].accuracy)} points to go"


def _astray(view: RunView) -> str:
    if not view.rows:
        return "none asked yet"
    row = view.rows[0]
    return f"{row['late']} late, {row['skipped']} unfit, {row['failed']} failed"


def _uplink(view: RunView) -> str:
    return f"{amount(view.points[-1].uplink_bytes, 'B')} of it up" if view.points else "both ways"


def _last_energy(view: RunView) -> str:
    return f"{amount(view.rows[0]['energy_j'], 'J')} in the last round" if view.rows else "so far"


def _last_duration(view: RunView) -> str:
    return f"{duration(view.rows[0]['duration_s'])} the last round" if view.rows else "so far"
