"""Figures as a reader wants them: three significant digits and a unit."""

import math

_PREFIXES = ("", "k", "M", "G", "T", "P", "E")

NOTHING = "-"
"""What a table shows where there is no figure."""


def amount(value: float | None, unit: str = "") -> str:
    """Return ``value`` with an SI prefix, such as ``12.3 kB``; powers of 1000, never 1024."""
    if value is None:
        return NOTHING
    rounded = float(f"{value:.3g}")
    step = 0 if abs(rounded) < 1000 else int(math.log10(abs(rounded)) // 3)
    step = min(step, len(_PREFIXES) - 1)
    return f"{rounded / 1000**step:.3g} {_PREFIXES[step]}{unit}".rstrip()


def percent(ratio: float | None) -> str:
    """Return a ratio 0..1 as a percentage with one decimal, such as ``91.4 %``."""
    return NOTHING if ratio is None else f"{100 * ratio:.1f} %"


def share(ratio: float) -> str:
    """Return a share 0..1 as a whole percentage, such as ``50 %``."""
    return f"{100 * ratio:.0f} %"


def points(difference: float | None) -> str:
    """Return a difference of two ratios in signed percentage points, such as ``+3.2``."""
    return NOTHING if difference is None else f"{100 * difference:+.1f}"


def duration(seconds: float | None) -> str:
    """Return seconds as ``0.84 s``, ``84.3 s``, ``12 min 05 s`` or ``3 h 05 min``."""
    if seconds is None:
        return NOTHING
    if seconds < 99.95:
        return f"{seconds:.3g} s"
    whole = round(seconds)
    if whole < 7200:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def number(value: object) -> str:
    """Return any plain value as text: integers grouped, floats with four significant digits."""
    if value is None:
        return NOTHING
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
