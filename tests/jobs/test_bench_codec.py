"""The benchmark of the codec on a tiny scenario: figures that add up, and claims that can fail."""

import dataclasses

import numpy as np
import pytest

from edgestill.codec.frozen import FrozenCodec
from edgestill.errors import RunError
from edgestill.jobs.benchmarks.codec import elsewhere, speed
from edgestill.jobs.benchmarks.codec.overhead import Size, sizes
from edgestill.jobs.benchmarks.codec.speed import SIDES, Request, Speed, speeds
from edgestill.jobs.benchmarks.codec.verdict import judged, links
from edgestill.jobs.benchmarks.codec.work import FEATURES, MODELS, Scenario, Source, trained

SCENARIO = Scenario(
    seeds=(1,), steps=3, request_images=(1, 4), images=4, speed_images=(2,), repeats=1
)


def size(**changes: object) -> Size:
    fields = {"model": "hyperprior", "seed": 1, "rate": 0, "images": 1, "mean_squared_error": 0.1}
    return Size(**{**fields, "coded_bytes": 1005.0, "ideal_bytes": 1000.0, **changes})


def every_size(**changes: object) -> list[Size]:
    return [
        size(model=model.name, rate=rate, images=images, **changes)
        for model in MODELS
        for rate in range(model.rates)
        for images in SCENARIO.request_images
    ]


def every_speed(times: float) -> list[Speed]:
    taken = dict(zip(SIDES, (1e-3, 1e-3 * times, 1e-3 * times, 2e-3), strict=True))
    return [
        Speed(side=side, images=2, symbols=4096, encode_s=taken_s, decode_s=taken_s)
        for side, taken_s in taken.items()
    ]


def test_claims_hold_or_fail_by_their_figures():
    good = judged(SCENARIO, every_size(), every_speed(101.0), {"there": 0}, 6)
    assert [claim.holds for claim in good.claims] == [True] * 5
    bad = judged(SCENARIO, every_size(coded_bytes=1011.0), every_speed(99.0), {"there": 1}, 6)
    assert [claim.holds for claim in bad.claims] == [False, True, False, False, False]


def test_the_worst_request_makes_the_claim_of_overhead():
    found = [*every_size(), size(images=4, coded_bytes=1008.0)]
    measured = judged(SCENARIO, found, every_speed(200.0), {"there": 0}, 6)
    assert measured.claims[0].value == pytest.approx(0.008)


def test_a_link_that_bears_no_rate_has_none():
    found = [
        dataclasses.replace(one, coded_bytes=25_000.0 + 5_000 * one.rate) for one in every_size()
    ]
    assert links(found, SCENARIO) == {
        "bandwidth_25000_bytes_per_s": None,
        "bandwidth_50000_bytes_per_s": None,
        "bandwidth_100000_bytes_per_s": 2,
    }


def test_coded_bytes_are_near_the_cross_entropy_of_a_trained_codec():
    source = Source(1)
    codec = trained(MODELS[1], source, seed=1, steps=40, advance=lambda _: None)
    for one in sizes("hyperprior", codec, source, SCENARIO, 1):
        assert 0 < one.overhead_ratio < 0.03


def test_both_coders_give_back_the_symbols_they_were_given():
    rng = np.random.default_rng(3)
    tables = rng.integers(40, 60, 2 * 16 * FEATURES)
    symbols = rng.integers(-2, 3, len(tables)).astype(np.int32)
    found = speeds(Request(images=2, symbols=symbols, tables=tables), 1)
    assert [one.side for one in found] == list(SIDES)
    assert all(one.both_s > 0 for one in found)


def test_a_coder_that_gives_other_symbols_stops_the_benchmark(monkeypatch):
    monkeypatch.setattr(speed.Stream, "ended", lambda *_: np.zeros(FEATURES, np.int32))
    request = Request(images=1, symbols=np.ones(FEATURES, np.int32), tables=np.full(FEATURES, 50))
    with pytest.raises(RunError, match="ours"):
        speeds(request, 1)


def test_frames_that_are_decoded_otherwise_elsewhere_are_counted(monkeypatch):
    source = Source(1)
    codec = trained(MODELS[1], source, seed=1, steps=1, advance=lambda _: None)
    frames = [codec.encode(source.images(1)[0]) for _ in range(3)]

    def with_another_weight(folder, _where):
        arrays = codec.freeze().to_arrays()
        arrays["synthesis.means.bias"] = arrays["synthesis.means.bias"] + (1 << 18)
        FrozenCodec(arrays).save(folder / "codec.safetensors")
        elsewhere.decode_folder(folder)

    monkeypatch.setattr(elsewhere, "_run", with_another_weight)
    assert elsewhere.mismatches(codec.freeze(), frames, "4 threads") == 3
