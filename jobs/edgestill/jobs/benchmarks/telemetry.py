"""What being watched costs: rounds with thousands of series scraped every second, and without.

Two federations of the same fleet take turns on the same actors, a few rounds each, so that what
else the machine does falls on both. One exports a series for each of 5,000 devices in each of four
metrics and is scraped every second; the other exports its groups only and nobody asks. Both
coordinators simulate a hundred thousand devices, of which a few answer, hold data and train.
"""

import logging
import statistics
import threading
import timeit
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import ray

from edgestill.actors import Pool, Telemetry, cluster, start_actor
from edgestill.config import RunConfig, resolve
from edgestill.federation import (
    Coordinator,
    NoSource,
    Surroundings,
    World,
    make_client_app,
)
from edgestill.federation.coordination.exports import export_vitals
from edgestill.fleet import Fleet
from edgestill.jobs.benchmarks.form import Measured, at_most
from edgestill.jobs.benchmarks.scraper import Scraper, start_scraper
from edgestill.jobs.benchmarks.telemetry_sides import DEVICES, FewConnected, Player, Size, Turns
from edgestill.jobs.watching import Watcher
from edgestill.report import Advance, show_progress
from edgestill.telemetry import MetricStore
from edgestill.telemetry.exposition import Renderer

COHORTS = 2
DEVICE_SERIES = 5_000
SCRAPE_EVERY_S = 1.0
SLOWDOWN_TARGET = 0.02
PROFILES = ("phone", "single_board_computer", "camera_gateway", "wearable", "microcontroller")


QUICK = Size(turns=8, rounds_per_turn=3, participants=96)
FULL = Size(turns=50, rounds_per_turn=3, participants=96)


def measure(*, quick: bool, quiet: bool) -> Measured:
    """Measure the slowdown of rounds by export and scraping, and the latency of scrapes."""
    size = QUICK if quick else FULL
    config = _config(size, DEVICE_SERIES)
    logging.getLogger("flwr").setLevel(logging.ERROR)
    with ExitStack() as stack:
        advance = stack.enter_context(
            show_progress("rounds", total=2 * config.federation.rounds, quiet=quiet)
        )
        stack.enter_context(cluster(None, cpus=COHORTS + 1))
        telemetry = start_actor(Telemetry, config.telemetry, cpus=0)
        scraper = start_scraper(ray.get(telemetry.start.remote()), interval_s=SCRAPE_EVERY_S)
        watched, alone = _play(config, size, telemetry, scraper, advance)
        scraped = scraper.finish()
    slowdowns = [here / there - 1.0 for here, there in zip(watched, alone, strict=True)]
    return Measured(
        configuration={
            "devices": DEVICES,
            "device_series_per_metric": DEVICE_SERIES,
            "scrape_every_s": SCRAPE_EVERY_S,
            **asdict(size),
            "cohorts": COHORTS,
        },
        results={
            "slowdown_ratio": _spread(slowdowns),
            "round_watched_s": _spread(watched),
            "round_alone_s": _spread(alone),
            "scrape_ms": _spread(scraped["latencies_ms"]),
            "scrape_lines": scraped["lines"],
            "parts_ms": _parts(config),
        },
        claims=[
            at_most(
                "telemetry_round_slowdown_ratio",
                statistics.median(slowdowns),
                SLOWDOWN_TARGET,
                "ratio",
            )
        ],
    )


def _play(
    config: RunConfig, size: Size, telemetry: Any, scraper: Scraper, advance: Advance
) -> tuple[list[float], list[float]]:
    """Play both sides' rounds; give the median round of each turn in seconds, watched and alone."""
    small = config.model_copy(
        update={"fleet": config.fleet.model_copy(update={"devices": size.participants})}
    )
    world = World.build(small)
    app = make_client_app(small)
    pool = Pool(app, config.engine, MetricStore(), run_id=1, fingerprint=world.fingerprint)
    turns, players, threads = Turns(), [], []
    for name, other, most in (("watched", "alone", DEVICE_SERIES), ("alone", "watched", 0)):
        store = MetricStore(max_device_series=most)
        player = Player(
            name=name,
            other=other,
            turns=turns,
            watcher=Watcher(advance, store, telemetry),
            size=size,
            scraper=scraper if most else None,
        )
        large = replace(world, config=_config(size, most))
        around = Surroundings(
            world=large, source=NoSource(world.dataset.classes), store=store, observer=player
        )
        coordinator = Coordinator(FewConnected(pool, size.participants), around)
        threads.append(threading.Thread(target=player.play, args=(coordinator,)))
        players.append(player)
    for thread in threads:
        thread.start()
    turns.give("watched")
    for thread in threads:
        thread.join()
    for player in players:
        if player.error is not None:
            raise player.error
    return players[0].medians_s, players[1].medians_s


def _config(size: Size, device_series: int) -> RunConfig:
    return resolve(
        {
            "name": "telemetry",
            "engine": {"cohorts": COHORTS},
            "knowledge": {"selection": "none"},
            "fleet": {
                "devices": DEVICES,
                "groups": [
                    {
                        "name": profile,
                        "profile": profile,
                        "load": {"kind": "walk", "low": 0.1, "high": 0.3, "step_s": 60},
                    }
                    for profile in PROFILES
                ],
            },
            # The first round warms up.
            "federation": {"rounds": size.turns * size.rounds_per_turn + 1},
            "telemetry": {"max_device_series": device_series},
        }
    )


def _parts(config: RunConfig) -> dict[str, float]:
    """Return the milliseconds that each step of an export takes by itself, best of five."""
    fleet = Fleet(config.fleet, config.seed)
    store = MetricStore(max_device_series=DEVICE_SERIES)
    contents, renderer = store.snapshot(), Renderer()

    def fresh() -> None:
        Renderer().render(contents)

    parts = {"vitals": _best_ms(lambda: export_vitals(store, fleet, DEVICE_SERIES))}
    contents = store.snapshot()
    renderer.render(contents)
    return {
        **parts,
        "snapshot": _best_ms(store.snapshot),
        "exposition_of_new_values": _best_ms(fresh),
        "exposition_of_the_same_values": _best_ms(lambda: renderer.render(contents)),
    }


def _best_ms(step: Callable[[], object]) -> float:
    return min(timeit.repeat(step, number=1, repeat=5)) * 1e3


def _spread(values: Sequence[float]) -> dict[str, float]:
    """Return median, quartiles and 95th percentile; nothing of nothing."""
    if not values:
        return {}
    p25, p50, p75, p95 = np.percentile(values, [25, 50, 75, 95]).tolist()
    return {"count": len(values), "p25": p25, "p50": p50, "p75": p75, "p95": p95}
