"""What has come since the server's last step, and what each update counts.

Sums are exact: s(t_i) n_i d_i is rounded to fixed point once for each update, a function of that
update alone, and integers are added; so the order of adding, and who trained where, change no bit.
"""

from collections import Counter
from dataclasses import dataclass, field

from edgestill.errors import FrameError, RunError
from edgestill.federation.aggregation.collect import Collected
from edgestill.federation.aggregation.fold import combine, decode_update
from edgestill.federation.aggregation.update import Aggregate
from edgestill.federation.buffered.event_queue import Landing
from edgestill.federation.rounds.played import BufferFigures
from edgestill.federation.table import Figures, FigureTable

BATTERY_EMPTY = "BatteryEmpty"
"""Why a device whose battery ran out under way is counted as failed."""


def staleness_share(staleness: int, exponent: float) -> float:
    """Return s(t) = 1 / (1 + t)^exponent, in 0..1.

    The polynomial form is that of FedAsync (Xie, Koyejo & Gupta, "Asynchronous Federated
    Optimization", OPT 2020); FedBuff takes it with exponent 1/2.
    """
    return float((1.0 + staleness) ** -exponent)


@dataclass(slots=True, kw_only=True)
class Buffer:
    """What has arrived since the last server step.

    Attributes:
        version: of the model that is present.
        exponent: of the staleness.
        fingerprint: of the model, on every frame.
        landings: all arrivals, in their order.
        total: the weighed sum of the updates.
        stalenesses: of the same updates.
    """

    version: int
    exponent: float
    fingerprint: int
    landings: list[Landing] = field(default_factory=list)
    total: Aggregate | None = None
    stalenesses: list[int] = field(default_factory=list)
    figures: dict[int, Figures] = field(default_factory=dict)
    failures: Counter[str] = field(default_factory=Counter)
    first_failure: str = ""

    def land(self, landing: Landing, *, charged: bool) -> None:
        """Take an arrival, and its update by its staleness."""
        self.landings.append(landing)
        if landing.figures is not None and not charged:
            self._fail(BATTERY_EMPTY, f"the battery of device {landing.flight.device} ran out")
        elif landing.figures is None:
            self._fail(landing.reason, landing.failure)
        else:
            self._take(landing, landing.figures)

    @property
    def fruitless(self) -> int:
        """How many came back without an update that counts."""
        return len(self.landings) - len(self.stalenesses)

    def _take(self, landing: Landing, figures: Figures) -> None:
        if landing.frame is not None:
            staleness = self.version - landing.flight.version
            try:
                update = decode_update(landing.frame, figures["num-examples"], self.fingerprint)
                weighed = Aggregate.of(update, staleness_share(staleness, self.exponent))
            except (FrameError, RunError) as error:
                self._fail("frame", str(error))
                return
            self.total = combine([self.total, weighed])
            self.stalenesses.append(staleness)
        self.figures[landing.flight.device] = figures

    def _fail(self, reason: str, text: str) -> None:
        self.failures[reason] += 1
        self.first_failure = self.first_failure or text

    def collected(self) -> Collected:
        """Return it as a round's."""
        return Collected(
            figures=FigureTable.of(self.figures),
            total=self.total,
            updates={},
            failures=self.failures,
            first_failure=self.first_failure,
        )

    def row(self, under_way: int) -> BufferFigures:
        """Return what it was like."""
        stale = self.stalenesses
        return BufferFigures(
            updates=len(stale),
            arrivals=len(self.landings),
            staleness_mean=sum(stale) / len(stale) if stale else 0.0,
            staleness_max=max(stale, default=0),
            under_way=under_way,
        )
