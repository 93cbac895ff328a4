"""Benchmarks as jobs: each prints its claims and writes them as JSON."""

from collections.abc import Mapping
from typing import Protocol

from edgestill.jobs.benchmarks.form import Measured


class Benchmark(Protocol):
    """Measures something and says which claims hold."""

    def __call__(self, *, quick: bool, quiet: bool) -> Measured:
        """Measure; ``quick`` takes at most 90 s, ``quiet`` shows no progress."""


def _allocator(*, quick: bool, quiet: bool) -> Measured:
    from edgestill.jobs.benchmarks.allocator import measure  # torch takes seconds to import

    return measure(quick=quick, quiet=quiet)


def _codec(*, quick: bool, quiet: bool) -> Measured:
    from edgestill.jobs.benchmarks.codec.measure import measure  # as above

    return measure(quick=quick, quiet=quiet)


def _eccentric(*, quick: bool, quiet: bool) -> Measured:
    from edgestill.jobs.benchmarks.eccentric import measure  # as above

    return measure(quick=quick, quiet=quiet)


def _racmkd(*, quick: bool, quiet: bool) -> Measured:
    from edgestill.jobs.benchmarks.racmkd import measure  # as above

    return measure(quick=quick, quiet=quiet)


def _recovery(*, quick: bool, quiet: bool) -> Measured:
    from edgestill.jobs.benchmarks.recovery import measure  # as above

    return measure(quick=quick, quiet=quiet)


def _scale(*, quick: bool, quiet: bool) -> Measured:
    from edgestill.jobs.benchmarks.scale import measure  # as above

    return measure(quick=quick, quiet=quiet)


def _serving(*, quick: bool, quiet: bool) -> Measured:
    from edgestill.jobs.benchmarks.serving.measure import measure  # as above

    return measure(quick=quick, quiet=quiet)


def _sfd(*, quick: bool, quiet: bool) -> Measured:
    from edgestill.jobs.benchmarks.sfd import measure  # as above

    return measure(quick=quick, quiet=quiet)


def _signals(*, quick: bool, quiet: bool) -> Measured:
    from edgestill.jobs.benchmarks.signals import measure  # as above

    return measure(quick=quick, quiet=quiet)


def _simulation(*, quick: bool, quiet: bool) -> Measured:
    from edgestill.jobs.benchmarks.simulation import measure  # as above

    return measure(quick=quick, quiet=quiet)


def _telemetry(*, quick: bool, quiet: bool) -> Measured:
    from edgestill.jobs.benchmarks.telemetry import measure  # as above

    return measure(quick=quick, quiet=quiet)


def _tofc(*, quick: bool, quiet: bool) -> Measured:
    from edgestill.jobs.benchmarks.tofc import measure  # as above

    return measure(quick=quick, quiet=quiet)


BENCHMARKS: Mapping[str, Benchmark] = {
    "allocator": _allocator,
    "codec": _codec,
    "eccentric": _eccentric,
    "racmkd": _racmkd,
    "recovery": _recovery,
    "scale": _scale,
    "serving": _serving,
    "sfd": _sfd,
    "signals": _signals,
    "simulation": _simulation,
    "telemetry": _telemetry,
    "tofc": _tofc,
}
"""Every benchmark by the name that the command line takes."""
