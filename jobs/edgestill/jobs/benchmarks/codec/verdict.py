"""From figures to claims, tables and charts."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from edgestill.codec import HEADER_BYTES
from edgestill.codec.rates import choose_rate
from edgestill.errors import RateError
from edgestill.jobs.benchmarks.charts import Chart, Series
from edgestill.jobs.benchmarks.codec.overhead import Size
from edgestill.jobs.benchmarks.codec.speed import (
    AS_IT_COMES,
    OURS,
    SAME_TABLES,
    SIDES,
    Speed,
    speed_of,
)
from edgestill.jobs.benchmarks.codec.work import LADDER, MODELS, Scenario
from edgestill.jobs.benchmarks.form import Measured, ResultTable, at_least, at_most
from edgestill.jobs.benchmarks.intervals import interval

LINKS_BYTES_PER_S = (25_000, 50_000, 100_000)
DEADLINE_S = 0.5
COMPUTE_S = 0.1


def judged(
    scenario: Scenario,
    sizes: Sequence[Size],
    speeds: Sequence[Speed],
    elsewhere: Mapping[str, int],
    frames: int,
) -> Measured:
    """Return the figures, and what they say about the claims.

    Args:
        scenario: what was done.
        sizes: of all codecs, seeds, rates and sizes of request.
        speeds: of all sides and sizes of request.
        elsewhere: mismatches by kind of other process.
        frames: decoded in each of them.
    """
    images = scenario.speed_images[-1]
    ours, its_tables, our_tables = (
        speed_of(speeds, side, images).both_s for side in (OURS, AS_IT_COMES, SAME_TABLES)
    )
    worst = max(sizes, key=lambda one: one.overhead_ratio)
    return Measured(
        configuration=scenario.to_plain(),
        results={
            "sizes": [_plain(one) for one in sizes],
            "worst_size": _plain(worst),
            "overhead_ratio_by_images": {
                f"images_{n}": overhead_of(sizes, n) for n in scenario.request_images
            },
            "speeds": [{**asdict(one), **_per_second(one)} for one in speeds],
            "speedup": {f"images_{n}": speedups(speeds, n) for n in scenario.speed_images},
            "cross_process": {"frames": frames, "mismatches": dict(elsewhere)},
            "links": links(sizes, scenario),
        },
        claims=[
            at_most("codec_overhead_ratio", worst.overhead_ratio, 0.01, "of the cross-entropy"),
            at_most("frame_header_bytes", HEADER_BYTES, 24, "bytes"),
            at_least(
                "codec_speedup_vs_compressai", its_tables / ours, 100.0, f"times, {images} images"
            ),
            at_least(
                "codec_speedup_vs_compressai_same_tables",
                our_tables / ours,
                100.0,
                f"times, {images} images",
            ),
            at_most("cross_process_mismatches", sum(elsewhere.values()), 0, "frames"),
        ],
        tables=[_size_table(sizes, scenario), _speed_table(speeds), _link_table(sizes, scenario)],
        charts=[_overhead_chart(sizes, scenario), _rate_chart(sizes, scenario)],
    )


def overhead_of(sizes: Sequence[Size], images: int) -> dict[str, dict[str, Any]]:
    """Return each codec's overhead at one size of request, over seeds and rates."""
    by_model = {}
    for model in MODELS:
        own = [one for one in sizes if (one.model, one.images) == (model.name, images)]
        ratios = [one.overhead_ratio for one in own]
        by_model[model.name] = {"ratio": statistics.fmean(ratios), **interval(ratios)}
    return by_model


def speedups(speeds: Sequence[Speed], images: int) -> dict[str, dict[str, float]]:
    """Return how many times faster ours is than each form of CompressAI."""
    ours = speed_of(speeds, OURS, images)
    found = {}
    for side in SIDES[1:]:
        other = speed_of(speeds, side, images)
        found[side] = {
            "encode_times": other.encode_s / ours.encode_s,
            "decode_times": other.decode_s / ours.decode_s,
            "both_times": other.both_s / ours.both_s,
        }
    return found


def links(sizes: Sequence[Size], scenario: Scenario) -> dict[str, int | None]:
    """Return the rate that each link bears for a request of middling size; None where none does."""
    by_rate = _ladder_bytes(sizes, scenario)
    chosen: dict[str, int | None] = {}
    for bandwidth in LINKS_BYTES_PER_S:
        key = f"bandwidth_{bandwidth}_bytes_per_s"
        try:
            chosen[key] = choose_rate(
                by_rate,
                bandwidth_bytes_per_s=bandwidth,
                deadline_s=DEADLINE_S,
                compute_s=COMPUTE_S,
            )
        except RateError:
            chosen[key] = None
    return chosen


def _plain(one: Size) -> dict[str, float | str]:
    ratios = {"overhead_bytes": one.overhead_bytes, "overhead_ratio": one.overhead_ratio}
    return {**asdict(one), **ratios}


def _per_second(one: Speed) -> dict[str, float]:
    return {
        "encode_symbols_per_s": one.symbols / one.encode_s,
        "decode_symbols_per_s": one.symbols / one.decode_s,
        "both_symbols_per_s": one.symbols / one.both_s,
    }


def _mean(sizes: Sequence[Size], model: str, images: int, rate: int, figure: str) -> float:
    own = [one for one in sizes if (one.model, one.images, one.rate) == (model, images, rate)]
    return statistics.fmean(getattr(one, figure) for one in own)


def _linked_images(scenario: Scenario) -> int:
    return sorted(scenario.request_images)[len(scenario.request_images) // 2]


def _ladder_bytes(sizes: Sequence[Size], scenario: Scenario) -> list[int]:
    images = _linked_images(scenario)
    return [
        HEADER_BYTES + round(_mean(sizes, LADDER.name, images, rate, "coded_bytes"))
        for rate in range(LADDER.rates)
    ]


def _size_table(sizes: Sequence[Size], scenario: Scenario) -> ResultTable:
    rows = []
    for model in MODELS:
        for rate in range(model.rates):
            name = f"{model.name}, rate {rate}" if model.rates > 1 else model.name
            for images in scenario.request_images:
                coded, ideal, over, error = (
                    _mean(sizes, model.name, images, rate, figure)
                    for figure in (
                        "coded_bytes", "ideal_bytes", "overhead_bytes", "mean_squared_error",
                    )
                )  # fmt: skip
                share = f"{over / ideal:.3%}"
                cells = (f"{coded:.1f}", f"{ideal:.1f}", f"{over:.1f}", share, f"{error:.4f}")
                rows.append((name, str(images), *cells))
    columns = ("codec", "images", "coded bytes", "ideal bytes", "over bytes", "over", "MSE")
    title = "coded payload against the model's own cross-entropy, 24 bytes of header not counted"
    return ResultTable(title=title, columns=columns, rows=rows)


def _speed_table(speeds: Sequence[Speed]) -> ResultTable:
    rows = [
        (
            one.side,
            str(one.images),
            f"{one.symbols / one.encode_s / 1e6:.2f}",
            f"{one.symbols / one.decode_s / 1e6:.2f}",
            f"{one.both_s / speed_of(speeds, OURS, one.images).both_s:.1f}",
        )
        for one in speeds
    ]
    columns = ("coder", "images", "encode M symbols/s", "decode M symbols/s", "times ours")
    title = "the same latents, one thread, processor time"
    return ResultTable(title=title, columns=columns, rows=rows)


def _link_table(sizes: Sequence[Size], scenario: Scenario) -> ResultTable:
    by_rate, images = _ladder_bytes(sizes, scenario), _linked_images(scenario)
    rows = [
        (key.split("_")[1], "none" if rate is None else str(rate), *map(str, by_rate))
        for key, rate in links(sizes, scenario).items()
    ]
    columns = ("link bytes/s", "rate", *(f"bytes at {rate}" for rate in range(LADDER.rates)))
    title = f"{images} images within {DEADLINE_S} s, of which {COMPUTE_S} s to compute"
    return ResultTable(title=title, columns=columns, rows=rows)


def _overhead_chart(sizes: Sequence[Size], scenario: Scenario) -> Chart:
    images = list(scenario.request_images)
    series = []
    for model in MODELS:
        by_size = [overhead_of(sizes, n)[model.name] for n in images]
        percent = [
            [None if one[key] is None else 100 * float(one[key] or 0) for one in by_size]
            for key in ("ratio", "low_95", "high_95")
        ]
        series.append(
            Series(name=model.name, x=images, y=percent[0], low=percent[1], high=percent[2])
        )
    return Chart(
        title="overhead of coding",
        caption="A byte per request, half of it to fill whole bytes, vanishes as requests grow.",
        x_label="images per request (16 tokens each)",
        y_label="% above the cross-entropy",
        series=series,
        logarithmic_x=True,
    )


def _rate_chart(sizes: Sequence[Size], scenario: Scenario) -> Chart:
    largest = max(scenario.request_images)
    series = []
    for model in MODELS:
        own = [
            [_mean(sizes, model.name, largest, rate, figure) for rate in range(model.rates)]
            for figure in ("coded_bytes", "mean_squared_error")
        ]
        series.append(Series(name=model.name, x=[one / largest for one in own[0]], y=own[1]))
    return Chart(
        title="bytes against error",
        caption="One model with four rates beside models of one rate, on synthetic tokens.",
        x_label="bytes per image",
        y_label="mean squared error",
        series=series,
        kind="points",
    )
