"""Who is worth asking: devices with much to learn from that are quick to answer.

Oort: Lai, Zhu, Madhyastha & Chowdhury, "Oort: Efficient Federated Learning via Guided Participant
Selection", OSDI 2021, algorithm 1. Where the paper gives no figure or leaves the scale open, this
follows what its authors published with it: utilities are divided by the clip before the bonus is
added, and the preferred duration T is a quantile of the durations seen.

A device's utility is known from the loss that it reports, without noise, after each training: the
server uses a figure that says how badly the model fits a device's own data. The paper's equation 2
takes |B| sqrt(1/|B| sum of squared losses); here it is |B| times the mean loss, never larger by
Jensen's inequality, since that is what a device reports anyway and no second figure leaves it.
"""

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgestill.config import UtilityConfig
from edgestill.federation.table import FigureTable

Devices = NDArray[np.int64]
Floats = NDArray[np.float64]

LOSS = "loss-task"
"""The figure that a device's utility is made of."""

CLIP_QUANTILE = 0.95
"""Utilities above this quantile count as if at it, against outliers."""

CUTOFF = 0.95
"""Who reaches this share of the last admitted utility may be drawn too (algorithm 1, c)."""

BONUS = 0.1
"""Under the root of the temporal uncertainty (algorithm 1)."""

FIRST_QUANTILE, QUANTILE_STEP = 0.3, 0.05
"""The preferred duration T at first, and how far the pacer moves it (the authors' settings)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is known of the devices that were ever asked: 28 bytes each.

    Attributes:
        devices: ascending [n].
        utility: |B| times the mean loss at the last training [n]; 0 until there was one.
        duration_s: of the last participation [n]; 0 until there was an answer.
        last_round: from 1 [n].
        times: how often the device took part [n].
    """

    devices: Devices = field(default_factory=lambda: np.empty(0, np.int64))
    utility: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    duration_s: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    last_round: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    times: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))

    def with_devices(self, devices: Devices) -> "Seen":
        """Return a copy that may be written to, with a place for these devices too."""
        union = np.union1d(self.devices, devices)
        places = np.searchsorted(union, self.devices)

        def spread(column: NDArray[Any]) -> NDArray[Any]:
            wide = np.zeros(len(union), column.dtype)
            wide[places] = column
            return wide

        return Seen(
            devices=union,
            utility=spread(self.utility),
            duration_s=spread(self.duration_s),
            last_round=spread(self.last_round),
            times=spread(self.times),
        )

    def has(self, devices: Devices) -> NDArray[np.bool_]:
        """Return which devices were ever asked, shape as ``devices``."""
        return np.isin(devices, self.devices, assume_unique=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Utility:
    """Oort's state after a round, and what it makes of it. Pure: learning gives a new value.

    Attributes:
        achieved: statistical utility of each of the last rounds, at most twice the pacer's window.
        quantile: of the durations seen, the one that is T; from 1 on nobody is too slow.
        rounds: learned from so far.
    """

    config: UtilityConfig
    seen: Seen = field(default_factory=Seen)
    achieved: tuple[float, ...] = ()
    quantile: float = FIRST_QUANTILE
    rounds: int = 0

    def learn(self, round_number: int, asked: Devices, figures: FigureTable) -> "Utility":
        """Return the state after a round.

        Args:
            round_number: from 1.
            asked: all devices whose participation ended in the round, each once.
            figures: what they reported; who failed is left out.
        """
        seen = self.seen.with_devices(asked)
        at = np.searchsorted(seen.devices, asked)
        seen.last_round[at] = round_number
        seen.times[at] += 1
        answered = np.searchsorted(seen.devices, figures.devices)
        seen.duration_s[answered] = whole_durations_s(figures)
        trained = figures.has(LOSS)
        worth = statistical_utilities(figures)[trained]
        seen.utility[answered[trained]] = worth
        history = (*self.achieved, float(worth.sum()))[-2 * self.config.pacer_rounds :]
        rounds = self.rounds + 1
        quantile = self.quantile
        if rounds % self.config.pacer_rounds == 0 and _falls(history, self.config.pacer_rounds):
            quantile = min(1.0, quantile + QUANTILE_STEP)
        return replace(self, seen=seen, achieved=history, quantile=quantile, rounds=rounds)

    def order(
        self,
        devices: Devices,
        speed: Floats,
        *,
        wanted: int,
        round_number: int,
        rng: np.random.Generator,
    ) -> Devices:
        """Return the devices in the order in which they should be asked.

        Any beginning of it holds the exploration share of devices never seen before, as long as
        there are any; who took part too often stands at the end.

        Args:
            devices: candidates, ascending [n].
            speed: of each, in any unit [n]; unseen devices are drawn with probability in proportion
                to it.
            wanted: about how many will be asked, at least 1.
            round_number: of the round to come, from 1.
            rng: of this round.
        """
        known = self.seen.has(devices)
        fresh = devices[~known][weighted_order(speed[~known], rng)]
        places = np.searchsorted(self.seen.devices, devices[known])
        worn = self.seen.times[places] > self.config.most_participations
        scores = self._scores(places, round_number)
        explored = devices[known]
        share = self._exploration()
        exploited = max(1, round(wanted * (1.0 - share)))
        sought = explored[~worn][_sought_order(scores[~worn], exploited, rng)]
        tired = explored[worn][np.argsort(-scores[worn], kind="stable")]
        return np.concatenate([_mixed(sought, fresh, share), tired])

    def _exploration(self) -> float:
        config = self.config
        decayed = config.exploration * config.exploration_decay**self.rounds
        # The paper stops the decay there; who sets less at first wants less.
        return max(decayed, min(config.least_exploration, config.exploration))

    def _scores(self, places: NDArray[np.int64], round_number: int) -> Floats:
        """Return Util(i) of algorithm 1 for explored devices, given as places in ``seen``.

        (min(U, clip) / clip + sqrt(0.1 ln R / L)) x (T / D)^alpha where D > T.
        """
        if len(places) == 0:
            return np.empty(0)
        clip = max(float(np.quantile(self.seen.utility, CLIP_QUANTILE)), 1e-12)
        worth = np.minimum(self.seen.utility[places], clip) / clip
        worth = worth + np.sqrt(BONUS * math.log(round_number) / self.seen.last_round[places])
        if self.quantile >= 1.0:
            return np.asarray(worth)
        known_s = self.seen.duration_s[self.seen.duration_s > 0]
        preferred_s = float(np.quantile(known_s, self.quantile)) if len(known_s) else 0.0
        durations = np.maximum(self.seen.duration_s[places], 1e-12)
        slow = np.minimum(preferred_s / durations, 1.0)
        return np.asarray(worth * slow**self.config.straggler_penalty)


def statistical_utilities(figures: FigureTable) -> Floats:
    """Return |B| times the mean loss over the training [n]; 0 without a training."""
    return np.asarray(figures.column("num-examples") * figures.column(LOSS), np.float64)


def whole_durations_s(figures: FigureTable) -> Floats:
    """Return how long the whole work takes [n], also of devices that were stopped in its midst."""
    done = figures.column("done-ratio").astype(np.float64)
    return np.divide(figures.column("total-s"), done, out=np.zeros(len(done)), where=done > 0)


def weighted_order(weights: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return a random order [n]: each next one is drawn in proportion to the weights that are left.

    By exponential clocks (Efraimidis & Spirakis, Information Processing Letters, 2006); weights of
    0 come last.
    """
    clocks = rng.exponential(size=len(weights)) / np.maximum(weights, 1e-300)
    return np.argsort(clocks, kind="stable")


def _sought_order(scores: Floats, wanted: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw by score from those near or above the cut-off; the others follow by score."""
    falling = np.argsort(-scores, kind="stable")
    if len(falling) <= 1:
        return falling
    cutoff = CUTOFF * scores[falling[min(wanted, len(falling)) - 1]]
    admitted = falling[: int((scores >= cutoff).sum())]
    drawn = admitted[weighted_order(scores[admitted], rng)]
    return np.concatenate([drawn, falling[len(admitted) :]])


def _mixed(sought: Devices, fresh: Devices, share: float) -> Devices:
    """Lay the fresh ones evenly between the sought ones, ``share`` of any beginning."""
    # Where the k-th fresh one and the k-th sought one would stand if neither ran out.
    fresh_at = (np.arange(len(fresh)) + 1.0) / share if share else np.full(len(fresh), np.inf)
    rest = 1.0 - share
    sought_at = (np.arange(len(sought)) + 1.0) / rest if rest else np.full(len(sought), np.inf)
    both = np.concatenate([fresh, sought])
    return both[np.argsort(np.concatenate([fresh_at, sought_at]), kind="stable")]


def _falls(history: tuple[float, ...], window: int) -> bool:
    """Return whether the last window brought less utility than the one before (algorithm 1)."""
    return len(history) == 2 * window and sum(history[:window]) > sum(history[window:])
