"""A fog between device and cloud: easy frames stay, hard ones go on, the cloud may fail."""

import time
from contextlib import ExitStack

import pytest
from sums_model import Sums, frame

from edgestill.errors import InputError
from edgestill.inference.client import CloudClient
from edgestill.inference.service import AboveSettings, ServiceServer, ServiceSettings


@pytest.fixture
def served():
    """Start services on free ports of loopback, and stop them at the end."""
    with ExitStack() as stack:

        def start(model, **settings):
            server = ServiceServer(model, ServiceSettings(**settings), host="127.0.0.1", port=0)
            stack.callback(server.stop)
            return server

        yield start


@pytest.fixture
def asked():
    """Ask a service one frame."""
    with ExitStack() as stack:

        def ask(server, value=3, *, within_s=5.0, client=None):
            if client is None:
                client = CloudClient(f"http://127.0.0.1:{server.port}", most_tries=1)
                stack.callback(client.close)
            return client.ask(frame(value), time.monotonic() + within_s)

        yield ask


def fog_of(served, cloud_url, *, confidence, pause_s=0.0):
    fog = Sums(by="fog", confidence=confidence, pause_s=pause_s, doubt=0.2)
    return served(fog, above=AboveSettings(url=cloud_url))


def url_of(server):
    return f"http://127.0.0.1:{server.port}"


def count(server, name):
    return server.service.metrics.registry.get_sample_value(f"edgestill_serving_{name}") or 0.0


def test_an_easy_frame_stays_in_the_fog_and_a_hard_one_goes_on_as_it_came(served, asked):
    cloud = served(Sums())
    easy = fog_of(served, url_of(cloud), confidence=0.9)
    hard = fog_of(served, url_of(cloud), confidence=0.5)
    assert asked(easy).answer.by == "fog"
    found = asked(hard, 8)
    assert (found.answer.by, found.answer.label) == ("cloud", 8)
    assert count(cloud, "received_bytes_total") == len(frame(8))


def test_a_doubt_that_is_set_replaces_the_models(served, asked):
    cloud = url_of(served(Sums()))
    unsure = Sums(by="fog", confidence=0.5, doubt=0.2)
    fog = served(unsure, above=AboveSettings(url=cloud, doubt=0.6))
    assert asked(fog).answer.by == "fog"


def test_the_clouds_time_is_part_of_what_the_fog_says_it_took(served, asked):
    cloud = served(Sums(pause_s=0.2))
    fog = fog_of(served, url_of(cloud), confidence=0.5)
    assert asked(fog).cloud_s >= 0.2


def test_the_fogs_answer_stands_where_the_cloud_is_slow_wrong_or_gone(served, asked):
    slow = fog_of(served, url_of(served(Sums(pause_s=3.0))), confidence=0.5)
    assert asked(slow, within_s=2.0).answer.by == "fog"
    closed = fog_of(served, url_of(served(Sums(), token="other")), confidence=0.5)  # noqa: S106
    assert asked(closed).answer.by == "fog"
    gone = fog_of(served, "http://127.0.0.1:9", confidence=0.5)
    assert [asked(gone).answer.by for _ in range(6)] == ["fog"] * 6
    reasons = {
        reason: sum(
            server.service.metrics.registry.get_sample_value(
                "edgestill_serving_forwarded_total", {"outcome": reason}
            )
            or 0.0
            for server in (slow, closed, gone)
        )
        for reason in ("deadline", "refused", "unreachable", "resting")
    }
    assert (reasons["deadline"], reasons["refused"]) == (1, 1)
    # After the first it is left alone, but for a trial now and then.
    assert reasons["unreachable"] + reasons["resting"] == 6
    assert reasons["resting"] > 0


def test_the_cloud_hears_of_all_inputs_behind_the_fog(served, asked):
    cloud = served(Sums())
    fog = fog_of(served, url_of(cloud), confidence=0.5)
    client = CloudClient(url_of(fog))
    client.looked_at(10)
    asked(fog, client=client)
    client.looked_at(5)
    asked(fog, client=client)
    client.close()
    assert count(fog, "inputs_total") == 15
    assert count(cloud, "inputs_total") == 15


def test_an_address_that_is_none_is_refused_before_anything_is_served():
    above = AboveSettings(url="cloud:8080")
    with pytest.raises(InputError, match="cloud:8080: expected a URL such as https"):
        ServiceServer(Sums(), ServiceSettings(above=above), host="127.0.0.1", port=0)
