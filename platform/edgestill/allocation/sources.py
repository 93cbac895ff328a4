"""Where snapshots come from: the gauges of this process, or a Prometheus server that scrapes them.

Both read the same gauges and judge samples by the same rule, so they differ in nothing but the way
that a sample takes.
"""

import asyncio
import re
import time
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar

from edgestill.allocation.signals import GroupSignals, Snapshot, group_signals
from edgestill.config import AllocationConfig, SignalsConfig
from edgestill.errors import PromqlError
from edgestill.telemetry import PromqlServer, PromqlSession, Sample

GAUGES: Mapping[str, str] = {
    "cpu_ratio": "edgestill_group_cpu_ratio",
    "free_memory_bytes": "edgestill_group_free_memory_bytes",
    "battery_ratio": "edgestill_group_battery_ratio",
    "temperature_c": "edgestill_group_temperature_celsius",
}
"""The gauge of each signal, as the coordinator exports it."""

POLL_S = 0.05
"""Between two looks at whether the vitals have been scraped."""

_Result = TypeVar("_Result")
_ByGroup = Mapping[str, float]


class MetricReader(Protocol):
    """The one method that is needed of a metric store."""

    def value(self, name: str, **labels: str) -> float | None:
        """Return the value of one series; None if it was never set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySource:
    """Signals from the gauges of the same process, so never old."""

    store: MetricReader
    groups: Sequence[str]

    def read(self, round_number: int, time_s: float) -> Snapshot:
        """Return the gauges of every group; a gauge never set is missing."""
        groups = {group: self._read(group) for group in self.groups}
        return Snapshot(round_number=round_number, time_s=time_s, groups=groups)

    def _read(self, group: str) -> GroupSignals:
        values = {name: self.store.value(gauge, group=group) for name, gauge in GAUGES.items()}
        return group_signals(values, age_s=0.0, stale_after_s=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusSource:
    """Signals asked of a Prometheus server.

    Attributes:
        server: that is asked.
        signals: the expressions, and how long to wait for a scrape.
        groups: whose signals are wanted; samples of others are passed over.
        run_label: the value of the label ``run``, put in the place of ``$run``.
    """

    server: PromqlServer
    signals: SignalsConfig
    groups: Sequence[str]
    run_label: str

    def read(self, round_number: int, time_s: float) -> Snapshot:
        """Return the newest signals, once the vitals of ``time_s`` are scraped or the wait is over.

        Never raises: what could not be asked for is missing, and the snapshot says why. Takes the
        wait and twice the server's time-out at most; a server that does not answer is not asked on.
        """
        values, errors = _in_a_loop(self._ask(time_s))
        return Snapshot(
            round_number=round_number,
            time_s=time_s,
            groups={group: self._group(group, values) for group in self.groups},
            source_error=str(errors[0]) if errors else None,
            source_error_reason=errors[0].reason if errors else None,
        )

    def _group(self, group: str, values: Mapping[str, _ByGroup]) -> GroupSignals:
        return group_signals(
            {name: values[name].get(group) for name in GAUGES if name in values},
            age_s=values.get("age_s", {}).get(group),
            stale_after_s=self.signals.stale_after_s,
        )

    async def _ask(self, time_s: float) -> tuple[dict[str, _ByGroup], list[PromqlError]]:
        """Return the answered expressions' samples by name and group, and what went wrong."""
        names = (*GAUGES, "age_s")
        try:
            async with self.server.session() as session:
                errors = await self._wait(session, time_s)
                answers = await asyncio.gather(*(self._vector(session, name) for name in names))
        except PromqlError as error:
            return {}, [error]
        by_name = dict(zip(names, answers, strict=True))
        errors += [one for one in answers if isinstance(one, PromqlError)]
        return {n: one for n, one in by_name.items() if not isinstance(one, PromqlError)}, errors

    async def _wait(self, session: PromqlSession, time_s: float) -> list[PromqlError]:
        """Wait until what was just exported is scraped.

        Raises:
            PromqlError: the server does not answer; the questions after it would not fare better.
        """
        until = time.monotonic() + self.signals.wait_s
        while self.signals.wait_s > 0:
            try:
                samples = await session.query(self._expression("vitals_virtual_s"))
            except PromqlError as error:
                if error.reason != "bad_expression":
                    raise
                return [_named("vitals_virtual_s", error)]
            if any(sample.value == time_s for sample in samples):
                break
            if time.monotonic() + POLL_S > until:
                break
            await asyncio.sleep(POLL_S)
        return []

    async def _vector(self, session: PromqlSession, name: str) -> _ByGroup | PromqlError:
        try:
            return _by_group(await session.query(self._expression(name)))
        except PromqlError as error:
            return _named(name, error)

    def _expression(self, name: str) -> str:
        expression: str = getattr(self.signals, name)
        return expression.replace("$run", escaped(self.run_label))


def prometheus_server(config: AllocationConfig) -> PromqlServer | None:
    """Return the server that the configuration names; None where signals stay in this process.

    Raises:
        ConfigurationError: its address, token or certificates are wrong; the key is named.
    """
    if config.prometheus_url is None:
        return None
    return PromqlServer(
        config.prometheus_url,
        token_file=config.prometheus_token_file,
        ca_file=config.prometheus_ca_file,
        timeout_s=config.prometheus_timeout_s,
    )


def escaped(label: str) -> str:
    """Return a label's value as it can stand between PromQL's single or double quotes."""
    return re.sub(r"[^A-Za-z0-9_.:-]", lambda one: f"\\U{ord(one[0]):08x}", label)


def _by_group(samples: Sequence[Sample]) -> dict[str, float]:
    values: dict[str, float] = {}
    for sample in samples:
        group = sample.labels.get("group")
        if group is None:
            raise PromqlError("bad_expression", "gives a sample without the label group")
        if group in values:
            raise PromqlError(
                "bad_expression",
                f"gives more than one sample for group {group!r}; "
                "aggregate them, as in avg by (group) (...)",
            )
        values[group] = sample.value
    return values


def _named(name: str, error: PromqlError) -> PromqlError:
    return PromqlError(error.reason, f"allocation.signals.{name}: {error}")


class _Loop(asyncio.SelectorEventLoop):
    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Leave alone who still waits for a name server; its answer's time is over."""


def _in_a_loop(work: Coroutine[None, None, _Result]) -> _Result:
    """Run a coroutine to its end, also where the thread already runs a loop, as a notebook's do."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _run(work)
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(_run, work).result()


def _run(work: Coroutine[None, None, _Result]) -> _Result:
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(work)
