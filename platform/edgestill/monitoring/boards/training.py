"""Dashboard ``training``: what the fleet learns, round by round, and how long a round takes."""

from edgestill.monitoring.panels import (
    Board,
    Panel,
    Query,
    Row,
    falling,
    graph,
    rising,
    stat,
)
from edgestill.monitoring.promql import WINDOW, rate, series, sum_of
from edgestill.monitoring.rules import chosen

_NOW = Row(
    title="Now",
    panels=(
        stat(
            title="Round",
            description="The last round that was finished.",
            queries=(Query(series("edgestill_round")),),
        ),
        stat(
            title="Accuracy of the student",
            description="On the test split, after the last round.",
            queries=(Query(series("edgestill_accuracy_ratio", model="student", split="test")),),
            unit="percentunit",
            decimals=1,
        ),
        stat(
            title="Accuracy of the teacher",
            description="On the test split: what the students strive for.",
            queries=(Query(series("edgestill_accuracy_ratio", model="teacher", split="test")),),
            unit="percentunit",
            decimals=1,
        ),
        stat(
            title="Rounds per minute",
            description="Over the last minute of real time.",
            queries=(Query(f"60 * {chosen('run:edgestill_rounds:rate1m')}"),),
            decimals=1,
        ),
        stat(
            title="Age of the round",
            description="Real time since the present round began. An alert fires where this is "
            "five times what rounds take.",
            queries=(Query(chosen("run:edgestill_round_age:seconds")),),
            unit="s",
            bounds=rising(60, 600),
            absent="between rounds",
        ),
        stat(
            title="Checkpoints",
            description="Written since the run began; a stopped run goes on after the newest.",
            queries=(Query(sum_of("edgestill_checkpoints_total")),),
            bounds=falling(1),
        ),
    ),
)

_LEARNING = Row(
    title="Learning",
    panels=(
        graph(
            title="Accuracy",
            description="Of teacher and student by split, after each round.",
            queries=(Query(series("edgestill_accuracy_ratio"), "{{run}} {{model}} {{split}}"),),
            unit="percentunit",
            width=12,
            height=10,
            low=0,
            high=1,
            stepped=True,
        ),
        graph(
            title="Loss by term",
            description="Mean over the devices of the last round, before the term's coefficient: "
            "task, distillation, alignment, resources.",
            queries=(Query(series("edgestill_loss"), "{{run}} {{term}}"),),
            unit="none",
            width=12,
            height=10,
            stepped=True,
        ),
        graph(
            title="Coefficients of the loss",
            description="How much each term weighs, which depends on a group's resources.",
            queries=(Query(series("edgestill_loss_coefficient"), "{{run}} {{group}} {{term}}"),),
            unit="none",
            width=12,
            stepped=True,
        ),
        graph(
            title="Knowledge sent",
            description="Public samples of the teacher sent to devices, per second of real time, "
            "by the policy that chose them.",
            queries=(
                Query(rate("edgestill_knowledge_samples_total", "policy"), "{{run}} {{policy}}"),
            ),
            unit="suffix: /s",
            width=12,
            low=0,
        ),
    ),
)

_PACE = Row(
    title="Pace",
    panels=(
        graph(
            title="Virtual time of a round",
            description="What a round takes on the devices' own clock; never more than "
            "federation.deadline_s, where there is one.",
            queries=(Query(series("edgestill_round_virtual_seconds")),),
            unit="s",
            low=0,
            stepped=True,
        ),
        graph(
            title="Real time of a round",
            description="Mean, median and the slowest twentieth of the rounds in the window.",
            queries=(
                Query(
                    f"{rate('edgestill_round_wall_seconds', part='sum')} / "
                    f"({rate('edgestill_round_wall_seconds', part='count')} > 0)",
                    "{{run}} mean",
                ),
                *(
                    Query(
                        f"histogram_quantile({share}, "
                        f"{rate('edgestill_round_wall_seconds', 'le', part='bucket')})",
                        f"{{{{run}}}} {name}",
                    )
                    for share, name in ((0.5, "median"), (0.95, "95 %"))
                ),
            ),
            unit="s",
            low=0,
        ),
        Panel(
            kind="heatmap",
            title="Rounds by real time",
            description="How many rounds took how long, all chosen runs together.",
            queries=(
                Query(
                    "sum by (le) (increase("
                    f"{series('edgestill_round_wall_seconds', part='bucket')}[{WINDOW}]))",
                    "{{le}}",
                ),
            ),
            unit="s",
        ),
    ),
)

_BUFFER = Row(
    title="Arrivals",
    panels=(
        graph(
            title="Devices that came back",
            description="Per second of real time, by how rounds are trained: synchronous, or "
            "buffered, where devices come and go between the server's steps.",
            queries=(Query(rate("edgestill_arrivals_total", "mode"), "{{run}} {{mode}}"),),
            unit="suffix: /s",
            low=0,
        ),
        graph(
            title="Staleness of updates",
            description="How many steps the server took while the updates of its last step were "
            "made; mean and longest. Only of buffered rounds.",
            queries=(Query(series("edgestill_update_staleness_rounds"), "{{run}} {{statistic}}"),),
            low=0,
            stepped=True,
        ),
        graph(
            title="Under way and in the buffer",
            description="Devices that train on beyond the last step of the server, and updates "
            "that it stepped with. Only of buffered rounds.",
            queries=(
                Query(series("edgestill_devices_under_way"), "{{run}} under way"),
                Query(series("edgestill_buffer_updates"), "{{run}} in the buffer"),
            ),
            low=0,
            stepped=True,
        ),
    ),
)

TRAINING = Board(
    name="training",
    title="edgestill / Training",
    description="What the fleet learns, round by round, and how long a round takes.",
    rows=(_NOW, _LEARNING, _PACE, _BUFFER),
)
