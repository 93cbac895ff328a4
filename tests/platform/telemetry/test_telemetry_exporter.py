import http.client
import socket
import struct
import urllib.error
import urllib.request
from collections.abc import Iterator

import numpy as np
import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics_families,
)
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


def test_a_callable_gives_the_newest_values() -> None:
    stores = [MetricStore()]
    exporter = Exporter(lambda: stores[-1].snapshot())
    port = exporter.start()
    try:
        stores.append(MetricStore())
        stores[-1].set("edgestill_round", 9)
        assert scrape(port)["edgestill_round"] == 9
    finally:
        exporter.stop()


def test_openmetrics_is_spoken_to_who_asks_for_it(store: MetricStore, exporter: Exporter) -> None:
    store.set_devices("edgestill_device_cpu_ratio", np.array([4]), np.array([0.5]))
    store.inc("edgestill_rounds_total", 3)
    connection = http.client.HTTPConnection("127.0.0.1", exporter.start(), timeout=5)
    accept = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"
    connection.request("GET", "/metrics", headers={"Accept": accept})
    reply = connection.getresponse()
    assert reply.headers["Content-Type"].startswith("application/openmetrics-text")
    text = reply.read().decode()
    found = {s.name: s.value for f in openmetrics_families(text) for s in f.samples}
    assert found["edgestill_rounds_total"] == 3
    assert found["edgestill_device_cpu_ratio"] == 0.5


def test_another_path_is_not_found(exporter: Exporter) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"http://127.0.0.1:{exporter.start()}/", timeout=5)


def test_a_scraper_that_hangs_up_is_forgotten(
    store: MetricStore, exporter: Exporter, capfd: pytest.CaptureFixture[str]
) -> None:
    store.set_devices("edgestill_device_cpu_ratio", np.arange(200), np.ones(200))
    port = exporter.start()
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", port)) as scraper:
            scraper.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            scraper.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert scrape(port)["edgestill_device_cpu_ratio"] == 1
    assert capfd.readouterr().err == ""


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
