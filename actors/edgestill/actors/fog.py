"""An actor between cohorts and the cloud: it sums updates and caches knowledge."""

from typing import Any

import ray

from edgestill.federation import Aggregate, combine
from edgestill.knowledge import SampleLayout

Kinds = tuple[str, ...]


class Fog:
    """Holds nothing that cannot be asked for again, so Ray may restart it and repeat its calls.

    Args:
        teacher: name of the teacher's actor; None where no knowledge is asked for. A handle would
            do too, but Ray logs an error when an actor that may restart is made with one.
    """

    def __init__(self, teacher: str | None) -> None:
        self._teacher: Any = None if teacher is None else ray.get_actor(teacher)
        self._layouts: dict[Kinds, SampleLayout] = {}
        self._records: dict[tuple[int, Kinds], bytes] = {}

    def ready(self) -> bool:
        """Return when the actor has started."""
        return True

    def knowledge(
        self, positions: list[int], kinds: Kinds
    ) -> tuple[SampleLayout, dict[int, bytes]]:
        """Return public samples' records by position, and the layout that joins them.

        The teacher is asked for those only that no cohort of this fog has asked for before.
        """
        if kinds not in self._layouts:
            self._layouts[kinds] = ray.get(self._teacher.layout.remote(kinds))
        missing = [position for position in positions if (position, kinds) not in self._records]
        if missing:
            fetched = ray.get(self._teacher.records.remote(missing, kinds))
            for position, record in zip(missing, fetched, strict=True):
                self._records[position, kinds] = record
        records = {position: self._records[position, kinds] for position in positions}
        return self._layouts[kinds], records

    def combine(self, *totals: Aggregate | None) -> Aggregate | None:
        """Return the sum of cohorts' sums."""
        return combine(totals)
