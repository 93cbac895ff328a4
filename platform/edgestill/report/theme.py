"""The colours of a report, one meaning each.

The same colour serves light and dark pages, so a figure copied from one to the other still matches
its caption: each keeps a contrast of at least 3:1 (WCAG 2.2, criterion 1.4.11) to both
backgrounds.
"""

from collections.abc import Mapping
from types import MappingProxyType

BACKGROUNDS = ("#ffffff", "#14181d")
"""The page's background, light and dark; ``assets/page.css`` uses the same."""

INK = "#0b0e11"
"""Text on a coloured cell."""

MODELS: Mapping[str, str] = MappingProxyType(
    {
        "ours": "#2f7fd1",
        "teacher": "#808a98",
        "fedavg": "#d0721a",
        "cloud_only": "#a06cd5",
        "local_only": "#239a72",
    }
)

LEVELS: Mapping[str, str] = MappingProxyType(
    {"high": "#2a96b0", "medium": "#6f9a2e", "low": "#c98512", "critical": "#d94f45"}
)
"""From plenty to want."""

_OTHERS = (
    *("#2f7fd1", "#d0721a", "#239a72", "#a06cd5"),
    *("#d6527f", "#86932a", "#2a96b0", "#b0891f"),
)


def colours(names: list[str]) -> dict[str, str]:
    """Return one colour per name, by position; from the ninth name on they repeat."""
    return {name: _OTHERS[index % len(_OTHERS)] for index, name in enumerate(names)}


def faint(colour: str, opacity: float) -> str:
    """Return ``#rrggbb`` as CSS ``rgba`` of this opacity, 0..1."""
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"
