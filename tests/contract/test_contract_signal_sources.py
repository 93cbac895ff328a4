"""The contract of signal sources on the registry and on a real Prometheus that scrapes it."""

from collections.abc import Iterator

import pytest
from prometheus_server import PrometheusServer, prometheus
from signal_source_contract import GROUPS, SignalSourceContract, SourceWorld

from edgestill.allocation import PrometheusSource, RegistrySource
from edgestill.config import FleetConfig, SignalsConfig
from edgestill.fleet import Fleet
from edgestill.telemetry import Exporter, MetricStore, PromqlServer

RUN = "contract-0123abcd"
PATIENT = SignalsConfig(wait_s=10.0)
"""Tests wait for a scrape that comes late, on a machine that is busy."""


@pytest.fixture
def fleet() -> Fleet:
    groups = [{"name": name, "profile": "phone"} for name in GROUPS]
    fleet = Fleet(FleetConfig.model_validate({"devices": 6, "groups": groups}), seed=3)
    fleet.time_s = 1234.567
    return fleet


class TestRegistrySource(SignalSourceContract):
    @pytest.fixture
    def world(self) -> SourceWorld:
        store = MetricStore()
        empty = store.state()
        source = RegistrySource(store=store, groups=GROUPS)
        return SourceWorld(store=store, source=source, forget=lambda: store.restore(empty))


@pytest.fixture(scope="module")
def scraped(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[MetricStore, PrometheusServer]]:
    store = MetricStore()
    exporter = Exporter(store)
    folder = tmp_path_factory.mktemp("prometheus")
    target = f"127.0.0.1:{exporter.start()}"
    with prometheus(folder, [target], scrape_interval="200ms", labels={"run": RUN}) as server:
        server.wait_until_scraped()
        yield store, server
    exporter.stop()


class TestPrometheusSource(SignalSourceContract):
    @pytest.fixture
    def world(self, scraped: tuple[MetricStore, PrometheusServer]) -> SourceWorld:
        store, server = scraped
        clock_s = (store.value("edgestill_vitals_virtual_seconds") or 0.0) + 1.0
        empty = MetricStore().state()
        source = PrometheusSource(
            server=PromqlServer(server.url), signals=PATIENT, groups=GROUPS, run_label=RUN
        )
        world = SourceWorld(store=store, source=source, forget=lambda: None, clock_s=clock_s)

        def forget() -> None:
            store.restore(empty)
            world.clock_s += 1.0
            store.set("edgestill_vitals_virtual_seconds", world.clock_s)

        world.forget = forget
        forget()
        return world

    def test_another_run_on_the_same_server_is_not_seen(
        self, scraped: tuple[MetricStore, PrometheusServer], world: SourceWorld
    ) -> None:
        world.export()
        assert world.read()["phones"].faults == {}
        other = PrometheusSource(
            server=PromqlServer(scraped[1].url),
            signals=SignalsConfig(wait_s=0.0),
            groups=GROUPS,
            run_label="contract-4567cdef",
        )
        snapshot = other.read(1, world.clock_s)
        assert snapshot.source_error is None
        assert set(snapshot.groups["phones"].faults.values()) == {"missing"}

    @pytest.mark.parametrize(
        ("expression", "text"),
        [
            ("sum(edgestill_group_cpu_ratio)", "without the label group"),
            (
                'label_replace(edgestill_group_cpu_ratio, "x", "1", "", "") '
                "or edgestill_group_cpu_ratio",
                "more than one sample for group",
            ),
            ("time()", "gives a scalar"),
            ("sum by (group) (", "1:17: parse error"),
            (
                "edgestill_group_cpu_ratio + on () edgestill_group_cpu_ratio",
                "duplicate series",
            ),
        ],
    )
    def test_one_wrong_expression_costs_that_signal_alone(
        self,
        scraped: tuple[MetricStore, PrometheusServer],
        world: SourceWorld,
        expression: str,
        text: str,
    ) -> None:
        world.export()
        assert world.read()["phones"].faults == {}
        source = PrometheusSource(
            server=PromqlServer(scraped[1].url),
            signals=SignalsConfig(wait_s=0.0, battery_ratio=expression),
            groups=GROUPS,
            run_label=RUN,
        )
        snapshot = source.read(1, world.clock_s)
        assert snapshot.source_error_reason == "bad_expression"
        assert "allocation.signals.battery_ratio: " in str(snapshot.source_error)
        assert text in str(snapshot.source_error)
        assert {one.battery_ratio for one in snapshot.groups.values()} == {None}
        assert snapshot.groups["phones"].faults == {"battery_ratio": "missing"}
        assert snapshot.groups["phones"].cpu_ratio == 0.25

    def test_old_samples_are_stale(
        self, scraped: tuple[MetricStore, PrometheusServer], world: SourceWorld
    ) -> None:
        world.export()
        assert world.read()["phones"].faults == {}
        source = PrometheusSource(
            server=PromqlServer(scraped[1].url),
            signals=SignalsConfig(wait_s=0.0, stale_after_s=1e-6),
            groups=GROUPS,
            run_label=RUN,
        )
        signals = source.read(1, world.clock_s).groups["phones"]
        assert set(signals.faults.values()) == {"stale"}
        assert signals.age_s is not None
        assert signals.age_s > 1e-6

    def test_a_server_that_goes_away_says_so_and_one_that_returns_is_used_again(
        self, scraped: tuple[MetricStore, PrometheusServer], world: SourceWorld
    ) -> None:
        _, server = scraped
        world.export()
        world.read()
        server.kill()
        snapshot = world.source.read(2, world.clock_s)
        assert snapshot.source_error_reason == "unreachable"
        assert all(set(one.faults.values()) == {"missing"} for one in snapshot.groups.values())
        server.start()
        server.wait_until_scraped()
        world.export(edgestill_group_cpu_ratio=0.5)
        assert world.read()["phones"].cpu_ratio == 0.5

    def test_it_can_be_asked_from_within_an_event_loop(self, world: SourceWorld) -> None:
        import asyncio

        async def in_a_loop() -> float | None:
            return world.source.read(1, world.clock_s).groups["phones"].cpu_ratio

        world.export()
        assert asyncio.run(in_a_loop()) == 0.25
