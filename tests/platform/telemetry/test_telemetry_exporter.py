import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from edgestill.errors import InputError
from edgestill.telemetry import Exporter, MetricStore


def scrape(port: int, query: str = "") -> dict[str, float]:
    url = f"http://127.0.0.1:{port}/metrics{query}"
    with urllib.request.urlopen(url, timeout=5) as reply:
        text = reply.read().decode()
    return {s.name: s.value for f in text_string_to_metric_families(text) for s in f.samples}


@pytest.fixture
def store() -> MetricStore:
    return MetricStore()


@pytest.fixture
def exporter(store: MetricStore) -> Iterator[Exporter]:
    exporter = Exporter(store)
    yield exporter
    exporter.stop()


def test_two_scrapes_see_what_was_written_between_them(
    store: MetricStore, exporter: Exporter
) -> None:
    port = exporter.start()
    store.inc("edgestill_rounds_total")
    assert scrape(port)["edgestill_rounds_total"] == 1
    store.inc("edgestill_rounds_total")
    store.set("edgestill_round", 2)
    second = scrape(port)
    assert (second["edgestill_rounds_total"], second["edgestill_round"]) == (2, 2)


def test_nothing_but_declared_metrics_is_served(exporter: Exporter) -> None:
    assert all(name.startswith("edgestill_") for name in scrape(exporter.start()))


def test_a_scrape_can_ask_for_one_name(store: MetricStore, exporter: Exporter) -> None:
    store.set("edgestill_round", 4)
    assert scrape(exporter.start(), "?name[]=edgestill_round") == {"edgestill_round": 4}


def test_a_callable_gives_the_newest_store() -> None:
    stores = [MetricStore()]
    exporter = Exporter(lambda: stores[-1])
    port = exporter.start()
    try:
        stores.append(MetricStore())
        stores[-1].set("edgestill_round", 9)
        assert scrape(port)["edgestill_round"] == 9
    finally:
        exporter.stop()


def test_a_port_in_use_is_one_clear_line_naming_the_key() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=rf"telemetry\.port: {port} .* in use") as caught:
            Exporter(MetricStore(), port=port).start()
    assert "\n" not in str(caught.value)


def test_an_address_of_another_machine_names_the_host_key() -> None:
    with pytest.raises(InputError, match=r"telemetry\.host: 203\.0\.113\.1"):
        Exporter(MetricStore(), host="203.0.113.1").start()


def test_start_and_stop_can_be_repeated(exporter: Exporter) -> None:
    port = exporter.start()
    assert exporter.start() == port
    exporter.stop()
    exporter.stop()
    with pytest.raises(urllib.error.URLError):
        scrape(port)
    again = Exporter(MetricStore(), port=port)
    assert again.start() == port
    again.stop()
