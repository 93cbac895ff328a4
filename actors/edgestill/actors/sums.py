"""The sums of a call's updates: where they lie until one for each fog is fetched.

A cohort's sums stay on its node until its fog adds them up there. Chunks whose sums lie on another
node than the driver's are remembered until these are safe: a node that is lost takes its sums with
it, and then exactly these chunks are run again. Sums are exact, so the result has the same bits.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import ray

from edgestill.actors.fogs import Post
from edgestill.federation import Aggregate, combine

if TYPE_CHECKING:
    from edgestill.actors.chunks import Chunk

MOST_LOOSE = 8
"""A fog adds its cohorts' sums up when there are so many, so that few lie in the object store."""

FETCH_TIMEOUT_S = 60.0
"""A sum that has not come by then is taken for lost."""

LOST = (
    ray.exceptions.RayActorError,
    ray.exceptions.ObjectLostError,
    ray.exceptions.ActorUnschedulableError,
)


@dataclass(slots=True)
class Pile:
    """Sums on their way through one fog, and the chunks that must be run again without them."""

    fog: Post
    references: list[Any] = field(default_factory=list)
    chunks: list["Chunk"] = field(default_factory=list)

    def add_up(self) -> None:
        """Let the fog replace its sums by one."""
        if len(self.references) > 1:
            self.references = [self.fog.actor.combine.remote(*self.references)]


class Sums:
    """Collects the references to sums, by fog, and fetches one for each."""

    def __init__(self) -> None:
        self._piles: dict[Post, Pile] = {}

    def add(self, fog: Post, reference: Any, chunk: "Chunk | None") -> None:
        """Take a cohort's sum.

        Args:
            fog: of the cohort.
            reference: to the sum.
            chunk: what to run again if the sum is lost; None where it can only be lost together
                with the driver.
        """
        pile = self._piles.setdefault(fog, Pile(fog))
        pile.references.append(reference)
        if chunk is not None:
            pile.chunks.append(chunk)
        if len(pile.references) > MOST_LOOSE:
            pile.add_up()

    def fetch(self) -> tuple[Aggregate | None, list["Chunk"]]:
        """Return the sum of all that could be fetched, and the chunks of which it was lost.

        Nothing is held any more afterwards.
        """
        piles = list(self._piles.values())
        self._piles.clear()
        for pile in piles:
            pile.add_up()
        wanted = [pile.references[0] for pile in piles]
        if wanted:
            ray.wait(wanted, num_returns=len(wanted), timeout=FETCH_TIMEOUT_S)
        totals: list[Aggregate | None] = []
        lost: list[Chunk] = []
        for pile in piles:
            try:
                totals.append(ray.get(pile.references[0], timeout=1.0))
            except (*LOST, ray.exceptions.GetTimeoutError):
                if not pile.chunks:
                    raise
                lost += pile.chunks
        return combine(totals), lost
