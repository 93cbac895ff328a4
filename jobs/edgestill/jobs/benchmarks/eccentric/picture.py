"""The Pareto fronts of both tasks as a PNG, for those who do not open the page."""

import io
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from edgestill.jobs.benchmarks.eccentric.charts import COSTS, grid_of, staircase
from edgestill.jobs.benchmarks.eccentric.findings import Finding
from edgestill.jobs.benchmarks.eccentric.fronts import DYNAMIC
from edgestill.jobs.benchmarks.eccentric.summary import ARCHITECTURES, over
from edgestill.report.theme import colours

_INCHES, _DOTS_PER_INCH = (10.0, 3.8), 110


def pareto_png(by_task: Mapping[str, Sequence[Finding]]) -> bytes:
    """Return the picture: for each task the accuracy against the bytes of each architecture."""
    figure = Figure(figsize=_INCHES, dpi=_DOTS_PER_INCH, layout="constrained")
    panels = figure.subplots(1, len(by_task), squeeze=False)[0]
    for axes, (task, findings) in zip(panels, by_task.items(), strict=True):
        _draw(axes, task, findings)
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def _draw(axes: Axes, task: str, findings: Sequence[Finding]) -> None:
    grid, colour = grid_of(findings, COSTS[0], steps=200), colours(list(ARCHITECTURES))
    # Dynamic lies beneath, broad, so that what coincides with it is seen.
    for name in reversed(ARCHITECTURES):
        values = staircase(findings, name, COSTS[0], grid)
        heights = [float("nan") if value is None else value for value in values]
        width = 4.0 if name == DYNAMIC else 1.6
        axes.step(grid, heights, where="post", label=name, color=colour[name], linewidth=width)
    cloud = over(findings, lambda one: one.cloud_accuracy)["mean"]
    axes.axhline(cloud, color="#808a98", linewidth=1.0, linestyle="--", label="cloud, raw input")
    axes.set_title(f"{task}, {len(findings)} seed{'s' if len(findings) > 1 else ''}")
    axes.set_xlabel("bytes for each input")
    axes.set_ylabel("mAP" if task == "detection" else "accuracy")
    axes.grid(alpha=0.25)
    axes.legend(loc="lower right", framealpha=0.9)
