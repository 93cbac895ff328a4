"""PromQL put together from declared names: a typo fails where it is made, not in front of a graph.

In a dashboard a selector follows its variables: ``run`` always, ``group`` and ``profile`` where the
metric has such a label. Rules know no variables and use :func:`selector`.
"""

from edgestill.telemetry import DECLARED

VARIABLES = ("run", "profile", "group")
"""The variables of every dashboard that select series, each a label too; outer ones first."""

WINDOW = "$__rate_interval"


def selector(name: str, *, part: str = "", **labels: str) -> str:
    """Return a selector of a declared metric.

    Args:
        name: as declared.
        part: of a histogram: ``bucket``, ``sum`` or ``count``.
        labels: wanted values; one with ``|``, ``*`` or ``$`` in it is a regular expression.

    Raises:
        ValueError: the metric, the part or a label is not declared.
    """
    metric = DECLARED.get(name)
    if metric is None:
        raise ValueError(f"{name}: no such metric is declared")
    if (metric.kind == "histogram") != (part in {"bucket", "sum", "count"}):
        raise ValueError(f"{name}: a {metric.kind} has no part {part!r}")
    unknown = labels.keys() - {"run", *metric.labels}
    if unknown:
        raise ValueError(f"{name}: it has no label {', '.join(sorted(unknown))}")
    inner = ",".join(_matcher(label, value) for label, value in labels.items())
    return (f"{name}_{part}" if part else name) + (f"{{{inner}}}" if inner else "")


def series(name: str, *, part: str = "", **labels: str) -> str:
    """Return a selector that follows the dashboard's variables; arguments as of `selector`."""
    known = ("run", *(DECLARED[name].labels if name in DECLARED else ()))
    chosen = {label: f"${label}" for label in VARIABLES if label in known}
    return selector(name, part=part, **{**chosen, **labels})


def rate(name: str, *by: str, part: str = "", **labels: str) -> str:
    """Return the rate per second of a counter in the chosen series, summed by run and ``by``."""
    return total(f"rate({series(name, part=part, **labels)}[{WINDOW}])", *by)


def sum_of(name: str, *by: str, **labels: str) -> str:
    """Return the sum of the chosen series by run and ``by``."""
    return total(series(name, **labels), *by)


def total(expression: str, *by: str) -> str:
    """Return an expression summed by run and ``by``."""
    return f"sum by ({', '.join(('run', *by))}) ({expression})"


def ratio(part: str, whole: str) -> str:
    """Return part / whole where the whole is more than 0, and nothing elsewhere."""
    return f"{part} / ({whole} > 0)"


def one_hot(selectors: list[str], *by: str) -> str:
    """Return which of several 0-or-1 series is 1, as its place in the list, by run and ``by``."""
    places = " or ".join(f"{place} * {one}" for place, one in enumerate(selectors))
    return f"max by ({', '.join(('run', *by))}) ({places})"


def _matcher(label: str, value: str) -> str:
    regular = any(sign in value for sign in "|*$")
    return f'{label}{"=~" if regular else "="}"{value}"'
