"""Knowledge that is fitted to a slow link arrives in time where it otherwise would not."""

import pytest

SLOW = {"name": "phones", "profile": "phone", "link": {"kind": "constant", "value": 0.002}}


@pytest.fixture(scope="module")
def last_row(federate, request):
    def run(config):
        return federate(config).rows[-1]

    return run


def config_of(tiny_config, *, fit_link, deadline_s=None, mode="synchronous", samples=100):
    federation = {"rounds": 1, "deadline_s": deadline_s, "mode": mode}
    if mode == "buffered":
        federation |= {"concurrency": 6, "buffer_size": 6}
    return tiny_config(
        knowledge={"samples_per_round": samples, "fit_link": fit_link},
        fleet={"groups": [SLOW]},
        federation=federation,
    )


@pytest.mark.parametrize("mode", ["synchronous", "buffered"])
@pytest.mark.parametrize(("share", "lower"), [(0.97, 0.7), (0.8, 0.2)])
def test_fewer_bits_and_then_fewer_samples_until_all_are_in_time(
    tiny_config, last_row, mode, share, lower
):
    whole = last_row(config_of(tiny_config, fit_link=False))
    deadline_s = share * whole["time_s"]
    options = {"deadline_s": deadline_s, "mode": mode}
    late = last_row(config_of(tiny_config, fit_link=False, **options))
    fitted = last_row(config_of(tiny_config, fit_link=True, **options))
    assert late["completed"] < 6
    assert fitted["completed"] == 6
    bytes_ = [row["downlink_bytes"]["knowledge"] for row in (whole, fitted)]
    assert 0 < bytes_[1] < lower * bytes_[0]


def test_a_link_that_is_fast_enough_gets_the_same_as_ever(tiny_config, last_row):
    rows = [last_row(config_of(tiny_config, fit_link=fit, deadline_s=1e6)) for fit in (False, True)]
    assert rows[0]["downlink_bytes"] == rows[1]["downlink_bytes"]
    assert rows[0]["accuracy"] == rows[1]["accuracy"]
