"""Train the codecs of the benchmark, code with them here and elsewhere, and time the coders."""

import numpy as np
import torch

from edgestill.codec.learned import FeatureCodec
from edgestill.jobs.benchmarks.codec.elsewhere import ELSEWHERES, mismatches
from edgestill.jobs.benchmarks.codec.overhead import Size, sizes
from edgestill.jobs.benchmarks.codec.speed import Request, Speed, speeds
from edgestill.jobs.benchmarks.codec.verdict import judged
from edgestill.jobs.benchmarks.codec.work import FEATURES, MODELS, Scenario, Source, trained
from edgestill.jobs.benchmarks.form import Measured
from edgestill.report import Advance, show_progress

FULL = Scenario(
    seeds=(31, 32, 33),
    steps=1500,
    request_images=(1, 4, 16, 64, 256),
    images=256,
    speed_images=(1, 16, 256, 64),
    repeats=5,
)
QUICK = Scenario(
    seeds=(31,),
    steps=150,
    request_images=(1, 4, 16, 64, 256),
    images=64,
    speed_images=(1, 64),
    repeats=2,
)
CROSS_PROCESS_IMAGES = (1, 1, 1, 4, 16, 64)


def measure(*, quick: bool, quiet: bool) -> Measured:
    """Train the codecs, code with them, and time the coders.

    Raises:
        RunError: a coder does not give back what it was given, or a process failed.
    """
    scenario = QUICK if quick else FULL
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    total = len(scenario.seeds) * (len(MODELS) + 1) + 1
    try:
        with show_progress("codecs", total=total, quiet=quiet) as advance:
            return _measured(scenario, advance)
    finally:
        torch.set_num_threads(threads)


def _measured(scenario: Scenario, advance: Advance) -> Measured:
    found: list[Size] = []
    elsewhere = dict.fromkeys(ELSEWHERES, 0)
    timed: list[Speed] = []
    for seed in scenario.seeds:
        source = Source(seed)
        for model in MODELS:
            codec = trained(model, source, seed=seed, steps=scenario.steps, advance=advance)
            found += sizes(model.name, codec, source, scenario, seed)
            for where in ELSEWHERES:
                frames = _frames(codec, source)
                elsewhere[where] += mismatches(codec.freeze(), frames, where)
            if model.name == "hyperprior" and seed == scenario.seeds[0]:
                timed = _timed(codec, source, scenario)
        advance(f"seed {seed} decoded elsewhere")
    frames_each = len(scenario.seeds) * len(MODELS) * len(CROSS_PROCESS_IMAGES)
    advance("judged")
    return judged(scenario, found, timed, elsewhere, frames_each)


def _frames(codec: FeatureCodec, source: Source) -> list[bytes]:
    return [
        codec.encode(source.images(images).reshape(-1, FEATURES), place % codec.rates)
        for place, images in enumerate(CROSS_PROCESS_IMAGES)
    ]


def _timed(codec: FeatureCodec, source: Source, scenario: Scenario) -> list[Speed]:
    found: list[Speed] = []
    for images in scenario.speed_images:
        found += speeds(_latents(codec, source, images), scenario.repeats)
    return found


def _latents(codec: FeatureCodec, source: Source, images: int) -> Request:
    """Return the residuals of a request as symbols, and the table of each."""
    tokens = source.images(images).reshape(-1, FEATURES).numpy()
    _, symbols, tables = codec.freeze().symbols(tokens).parts[0]
    return Request(images=images, symbols=np.asarray(symbols), tables=np.asarray(tables))
