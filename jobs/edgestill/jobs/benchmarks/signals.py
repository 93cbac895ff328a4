"""From a rise of load to the decision: over a real Prometheus, and within this process.

The control loop of a run without its training: a simulated group's load rises above the bound of
critical and falls again; before each round its vitals are exported, scraped every second by a real
``prometheus``, asked for, and decided from. The same loop on the in-process registry must decide
the same. Rounds start at random moments between two scrapes.
"""

import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from edgestill.allocation import (
    Decision,
    Level,
    PrometheusSource,
    RegistrySource,
    SignalSource,
    decide,
)
from edgestill.config import AllocationConfig, FleetConfig, SignalsConfig
from edgestill.errors import RunError
from edgestill.federation.coordination.exports import export_vitals
from edgestill.fleet import Fleet
from edgestill.jobs.benchmarks.form import Claim, Measured, at_least, at_most
from edgestill.monitoring import address_of, announced, serving
from edgestill.report import show_progress
from edgestill.telemetry import Exporter, MetricStore, PromqlServer

SEED = 7
INTERVAL_S = 60.0
"""Virtual, between two rounds."""

CALM, LOADED = 0.2, 0.95
CYCLE = (CALM, LOADED, LOADED, CALM, CALM, CALM)
"""Load of the rounds of a cycle: one rise each, and rounds enough to come back to high."""

GROUP = "phones"
RUN = "bench-signals"
SCRAPE_INTERVAL_S = 1.0
FIRST_SCRAPE_WITHIN_S = 60.0
CONFIG = AllocationConfig()


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One round: the load, what was decided, and how long after the export it was."""

    cpu_ratio: float
    level: Level
    reason: str
    decided_after_s: float


def measure(*, quick: bool, quiet: bool) -> Measured:
    """Measure 8 rises (``quick``) or 25, and 50 reads of each source.

    Raises:
        InputError: Prometheus is not installed.
        RunError: it ended, or does not scrape.
    """
    rises = 8 if quick else 25
    pauses = random.Random(SEED)  # noqa: S311 - moments, no secrets
    with (
        _scraped() as (store, source),
        show_progress("rounds", total=rises * len(CYCLE), quiet=quiet) as advance,
    ):

        def pause() -> None:
            advance()
            time.sleep(pauses.uniform(0.0, SCRAPE_INTERVAL_S))

        over_http = _play(store, source, rises, pause)
        read_ms = {"prometheus": _read_ms(_impatient(source))}
    store = MetricStore()
    registry = RegistrySource(store=store, groups=(GROUP,))
    in_process = _play(store, registry, rises, lambda: None)
    read_ms["registry"] = _read_ms(registry)
    return Measured(
        configuration={
            "rises": rises,
            "rounds": len(over_http),
            "scrape_interval_s": SCRAPE_INTERVAL_S,
            "cpu_ratio_of_a_cycle": list(CYCLE),
            "signals": CONFIG.signals.model_dump(mode="json"),
            "thresholds": CONFIG.thresholds.model_dump(mode="json"),
        },
        results={
            "rise_to_decision_s": {
                "prometheus": _spread(_rise_to_decision_s(over_http)),
                "registry": _spread(_rise_to_decision_s(in_process)),
            },
            "read_ms": read_ms,
            "levels": [one.level.value for one in over_http],
        },
        claims=_claims(over_http, in_process, rises),
    )


def _claims(
    over_http: Sequence[Played], in_process: Sequence[Played], rises: int
) -> tuple[Claim, ...]:
    alike = sum(
        (a.level, a.reason) == (b.level, b.reason)
        for a, b in zip(over_http, in_process, strict=True)
    )
    falls = sum(after.level < before.level for before, after in pairwise(over_http))
    back = sum(after.level is Level.HIGH > before.level for before, after in pairwise(over_http))
    return (
        at_least("signals_decisions_equal", alike / len(over_http), 1.0, "ratio of rounds"),
        at_most("signals_rounds_from_rise_to_lowered", _rounds_to_lowered(over_http), 1, "rounds"),
        at_most("signals_falls_per_rise", falls / rises, 1.0, "falls"),
        at_least("signals_returns_per_rise", back / rises, 1.0, "returns to high"),
    )


@contextmanager
def _scraped() -> Iterator[tuple[MetricStore, PrometheusSource]]:
    """Give a store that a real Prometheus scrapes, and the source that asks it."""
    store = MetricStore()
    exporter = Exporter(store)
    address = address_of("127.0.0.1", exporter.start())
    try:
        with tempfile.TemporaryDirectory(prefix="edgestill-bench-") as folder:
            targets = Path(folder) / "targets"
            with (
                announced(targets, RUN, address),
                serving(Path(folder) / "prometheus", targets, port=0) as server,
            ):
                source = PrometheusSource(
                    server=PromqlServer(server.url),
                    signals=CONFIG.signals,
                    groups=(GROUP,),
                    run_label=RUN,
                )
                _wait_for_first_scrape(store, source)
                yield store, source
    finally:
        exporter.stop()


def _wait_for_first_scrape(store: MetricStore, source: SignalSource) -> None:
    export_vitals(store, _fleet(1), 0)
    until = time.monotonic() + FIRST_SCRAPE_WITHIN_S
    while source.read(0, 0.0).groups[GROUP].faults:
        if time.monotonic() > until:
            raise RunError(f"prometheus has scraped nothing within {FIRST_SCRAPE_WITHIN_S:.0f} s")


def _fleet(rises: int) -> Fleet:
    steps = [(index * INTERVAL_S, load) for index, load in enumerate(CYCLE * rises)]
    group = {"name": GROUP, "profile": "phone", "load": {"kind": "steps", "steps": steps}}
    return Fleet(FleetConfig.model_validate({"devices": 4, "groups": [group]}), SEED)


def _play(
    store: MetricStore, source: SignalSource, rises: int, pause: Callable[[], None]
) -> list[Played]:
    fleet, played = _fleet(rises), []
    decision: Decision | None = None
    for round_number in range(1, rises * len(CYCLE) + 1):
        pause()
        export_vitals(store, fleet, 0)
        exported = time.perf_counter()
        snapshot = source.read(round_number, fleet.time_s)
        decision = decide(CONFIG, ("visual",), snapshot, decision)
        played.append(
            Played(
                cpu_ratio=fleet.group_means(fleet.time_s)[GROUP].cpu_ratio,
                level=decision.allocations[GROUP].level,
                reason=decision.reasons[GROUP],
                decided_after_s=time.perf_counter() - exported,
            )
        )
        fleet.advance(INTERVAL_S, np.zeros(fleet.size))
    return played


def _rises(played: Sequence[Played]) -> list[int]:
    return [
        index
        for index, (before, after) in enumerate(pairwise(played), start=1)
        if after.cpu_ratio > CONFIG.thresholds.cpu_ratio[-1] >= before.cpu_ratio
    ]


def _rise_to_decision_s(played: Sequence[Played]) -> list[float]:
    return [played[index].decided_after_s for index in _rises(played)]


def _rounds_to_lowered(played: Sequence[Played]) -> float:
    """Return how many rounds, the one of the rise included, the slowest lowering took."""
    most = 0.0
    for rise in _rises(played):
        lower = (n for n, one in enumerate(played[rise:], start=1) if one.level < Level.HIGH)
        most = max(most, next(lower, float("inf")))
    return most


def _impatient(source: PrometheusSource) -> PrometheusSource:
    """Return the same source without the wait for a scrape, to time the questions alone."""
    return PrometheusSource(
        server=source.server,
        signals=SignalsConfig(wait_s=0.0),
        groups=source.groups,
        run_label=source.run_label,
    )


def _read_ms(source: SignalSource) -> float:
    times_ms = []
    for _ in range(50):
        started = time.perf_counter()
        source.read(0, 0.0)
        times_ms.append(1e3 * (time.perf_counter() - started))
    return statistics.median(times_ms)


def _spread(times_s: Sequence[float]) -> dict[str, Any]:
    return {
        "rises": len(times_s),
        "min": min(times_s),
        "median": statistics.median(times_s),
        "max": max(times_s),
    }
