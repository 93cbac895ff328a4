"""What a request says of itself in its headers; what makes no sense is taken as not said."""

from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Self

from edgestill.inference.wire import (
    DEADLINE_HEADER,
    INPUTS_HEADER,
    LONGEST_DEADLINE_MS,
    MOST_INPUTS,
)

UNSAID_DEADLINE_MS = 10_000
"""How long a request may take that does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the service takes from a request's headers.

    Attributes:
        inputs: that the sender has looked at and not told of before; 1 if it does not say.
        until_s: by :func:`time.monotonic`, when an answer is of no more use.
    """

    inputs: int
    until_s: float

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Self:
        """Read headers."""
        inputs = _number(headers.get(INPUTS_HEADER), MOST_INPUTS)
        deadline_ms = _number(headers.get(DEADLINE_HEADER), LONGEST_DEADLINE_MS)
        return cls(
            # Of requests that are under way at once the first tells of all.
            inputs=1 if inputs is None else inputs,
            until_s=monotonic() + 1e-3 * (deadline_ms or UNSAID_DEADLINE_MS),
        )


def _number(text: str | None, most: int) -> int | None:
    """Return a whole number from 0 to ``most``."""
    if text is None or not (text.isascii() and text.isdigit()) or len(text) > len(str(most)):
        return None
    number = int(text)
    return number if number <= most else None
