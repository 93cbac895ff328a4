"""Replicas on one port of a machine: one that goes while devices ask costs them nothing."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from sums_model import Sums, frame

from edgestill.inference.client import CloudClient
from edgestill.inference.service import ServiceServer, ServiceSettings

DEVICES = 8


def replica(port=0):
    return ServiceServer(Sums(pause_s=0.003), ServiceSettings(), host="127.0.0.1", port=port)


def test_a_replica_that_goes_under_load_drops_no_request():
    staying = replica()
    going = replica(staying.port)
    over = threading.Event()

    def ask_on(number):
        client = CloudClient(f"http://127.0.0.1:{staying.port}", seed=number)
        labels, tries = [], 0
        while not over.is_set():
            found = client.ask(frame(number), time.monotonic() + 20)
            labels.append(found.answer.label)
            tries += found.tries - 1
        client.close()
        assert set(labels) == {number}
        return len(labels), tries

    with ThreadPoolExecutor(DEVICES) as pool:
        asking = [pool.submit(ask_on, number) for number in range(DEVICES)]
        time.sleep(0.5)
        going.stop()
        time.sleep(0.5)
        over.set()
        found = [one.result() for one in asking]
    staying.stop()
    # Who asked at the very moment asks once more.
    assert all(tries <= 2 for _, tries in found)
    assert sum(count for count, _ in found) > 10 * DEVICES
    counted = [
        one.service.metrics.registry.get_sample_value(
            "edgestill_serving_requests_total", {"status": "200"}
        )
        for one in (staying, going)
    ]
    assert all(count and count > 0 for count in counted)
