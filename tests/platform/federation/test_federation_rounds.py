"""Whole federations of six devices in this process: what a round does and what it withstands."""

import logging
import math

import numpy as np
import pytest
import torch

from edgestill.codec import decode_arrays
from edgestill.errors import RunError
from edgestill.federation import (
    FIRST_NODE_ID,
    LocalGrid,
    make_client_app,
    world_of,
)
from edgestill.federation.device import part as device_part
from edgestill.federation.messages import (
    METRICS,
    UPDATE,
)

STATIC = {"policy": "static"}


class Sabotaged(LocalGrid):
    """Lets a function change or drop the replies to train messages."""

    def __init__(self, config, change):
        super().__init__(make_client_app(config), config.fleet.devices)
        self._change = change

    def send_and_receive(self, messages, *, timeout=None):
        replies = list(super().send_and_receive(messages, timeout=timeout))
        if all(UPDATE not in one.content.config_records for one in replies if one.has_content()):
            return replies
        return [kept for one in replies if (kept := self._change(one)) is not None]


def device_of(reply):
    return reply.metadata.src_node_id - FIRST_NODE_ID


def test_a_federation_learns(federate, tiny_config):
    run = federate(tiny_config(federation={"rounds": 3}))
    assert run.rows[-1]["accuracy"] > 0.6
    assert run.seen.started == [(1, 6), (2, 6), (3, 6)]
    assert run.seen.rows == run.rows
    first = run.rows[0]
    assert (first["selected"], first["completed"], first["failed"]) == (6, 6, 0)
    assert set(first["devices_by_level"]) == set(first["levels"])
    assert all(first["loss_terms"][name] > 0 for name in ("task", "distill", "align"))
    assert first["uplink_bytes"]["update"] > 0
    assert first["downlink_bytes"]["model"] > 0
    assert first["downlink_bytes"]["knowledge"] > 0
    assert first["energy_j"] > 0
    assert first["flops"] > 0
    times = [row["time_s"] for row in run.rows]
    assert times == pytest.approx(np.cumsum([row["duration_s"] for row in run.rows]), rel=1e-9)
    assert run.state.selected_classes.sum() == 3 * 6 * 8


def test_without_knowledge_nothing_of_it_is_sent(federate, plain_config):
    run = federate(plain_config())
    assert run.rows[0]["downlink_bytes"]["knowledge"] == 0
    assert run.rows[0]["loss_terms"]["distill"] == 0
    assert run.state.selected_classes.sum() == 0


@pytest.mark.parametrize("strategy", ["FedProx", "FedYogi", "FedTrimmedAvg", "Krum"])
def test_every_strategy_plays_with_unequal_devices(federate, plain_config, strategy):
    run = federate(plain_config(federation={"strategy": strategy, "rounds": 1}))
    assert run.rows[0]["completed"] == 6
    assert all(np.isfinite(array).all() for array in run.state.arrays.values())


def test_a_device_without_data_is_found_out_once_and_counted(federate, plain_config, take_data):
    config = plain_config(seed=301, allocation=STATIC)
    take_data(world_of(config), 2)
    run = federate(config)
    assert run.members[2].examples == 0
    assert [row["selected"] for row in run.rows] == [5, 5]
    assert [row["completed"] for row in run.rows] == [5, 5]


def test_a_device_whose_training_diverges_fails_by_reason_and_the_round_goes_on(
    federate, plain_config, monkeypatch
):
    original = device_part.train

    def train(module, arrays, samples, *rest):
        trained = original(module, arrays, samples, *rest)
        if len(samples) == 10 and float(samples.inputs["visual"].sum()) == poisoned:
            trained.arrays["classifier.bias"][0] = np.nan
        return trained

    config = plain_config()
    world = world_of(config)
    rows = world.dataset.inputs(world.owned[3])["visual"]
    poisoned = float(torch.from_numpy(rows).sum())
    monkeypatch.setattr(device_part, "train", train)
    run = federate(config)
    assert [row["failures"] for row in run.rows] == [{"ValueError": 1}] * 2
    assert [row["failed"] for row in run.rows] == [1, 1]
    assert [row["completed"] for row in run.rows] == [5, 5]
    assert all(np.isfinite(array).all() for array in run.state.arrays.values())
    assert run.store.value("edgestill_devices_failed_total", reason="ValueError") == 2


def test_when_all_fail_the_first_reason_is_told(federate, plain_config, monkeypatch):
    def train(*_):
        raise ArithmeticError("the numbers are gone")

    monkeypatch.setattr(device_part, "train", train)
    with pytest.raises(RunError, match=r"round 1: all 6 devices failed; the first: ") as caught:
        federate(plain_config())
    assert "ArithmeticError: the numbers are gone" in str(caught.value)


def test_a_damaged_update_and_a_lost_reply_are_counted(federate, plain_config):
    def change(reply):
        if device_of(reply) == 1:
            return None
        if device_of(reply) == 4:
            frame = bytearray(reply.content[UPDATE]["frame"])
            frame[len(frame) // 2] ^= 8
            reply.content[UPDATE]["frame"] = bytes(frame)
        return reply

    config = plain_config(federation={"rounds": 1})
    run = federate(config, grid=Sabotaged(config, change))
    assert run.rows[0]["failures"] == {"frame": 1, "NoReply": 1}
    assert run.rows[0]["completed"] == 4
    assert run.store.value("edgestill_devices_lost_total") == 1


def test_failures_change_the_mean_only_by_who_is_missing(federate, plain_config, start_of):
    config = plain_config(federation={"rounds": 1}, allocation=STATIC)
    run = federate(config, grid=Sabotaged(config, lambda r: r if device_of(r) != 5 else None))
    kept = []
    federate(config, grid=Sabotaged(config, lambda r: kept.append(r) or r))
    world, start = world_of(config), start_of(config)
    total, weight = dict.fromkeys(start, 0.0), 0
    for reply in kept:
        if device_of(reply) != 5:
            delta = decode_arrays(reply.content[UPDATE]["frame"], fingerprint=world.fingerprint)
            examples = reply.content[METRICS]["num-examples"]
            weight += examples
            total = {n: total[n] + delta[n].astype(np.float64) * examples for n in total}
    for name, array in run.state.arrays.items():
        np.testing.assert_allclose(array, start[name] + total[name] / weight, atol=1e-6)


def test_a_deadline_marks_slow_devices_late_and_closes_the_round(federate, plain_config):
    free = federate(plain_config(federation={"rounds": 1}))
    groups = free.rows[0]["by_group"]
    durations = sorted(group["duration_s"] for group in groups.values())
    deadline_s = (durations[-2] + durations[-1]) / 2
    run = federate(plain_config(federation={"rounds": 1, "deadline_s": deadline_s}))
    row = run.rows[0]
    assert row["late"] >= 1
    assert row["completed"] + row["late"] == 6
    assert row["duration_s"] <= deadline_s
    assert row["flops"] <= free.rows[0]["flops"]
    slow = max(groups, key=lambda name: groups[name]["duration_s"])
    assert run.store.value("edgestill_devices_late_total", group=slow) == row["late"]


def test_over_selection_closes_with_those_wanted(federate, plain_config):
    options = {"rounds": 1, "fraction": 0.5, "over_selection": 1.0}
    row = federate(plain_config(federation=options)).rows[0]
    assert row["selected"] == 6
    assert 3 <= row["completed"] < 6
    assert row["completed"] + row["late"] == 6


def test_when_nobody_can_take_part_time_passes(federate, plain_config, caplog, start_of):
    groups = [{"name": "a", "profile": "phone", "availability": {"value": 0.0}}]
    with caplog.at_level(logging.WARNING, logger="edgestill"):
        run = federate(plain_config(fleet={"groups": groups}))
    assert [row["selected"] for row in run.rows] == [0, 0]
    assert [row["time_s"] for row in run.rows] == [60.0, 120.0]
    start = start_of(plain_config(fleet={"groups": groups}))
    assert all(np.array_equal(run.state.arrays[name], start[name]) for name in start)
    assert "no device can take part" in caplog.text


def test_noise_is_added_to_updates_when_asked_for(federate, plain_config):
    clip, multiplier = 0.5, 0.8
    privacy = {"update_clip_norm": clip, "update_noise_multiplier": multiplier}
    kept = []

    def update_of(config):
        kept.clear()
        federate(config, grid=Sabotaged(config, lambda r: kept.append(r) or r))
        frame = kept[0].content[UPDATE]["frame"]
        arrays = decode_arrays(frame, fingerprint=world_of(config).fingerprint)
        return np.concatenate([array.ravel() for array in arrays.values()])

    federation = {"rounds": 1}
    exact = update_of(
        plain_config(federation=federation, allocation=STATIC, privacy={"update_clip_norm": clip})
    )
    config = plain_config(federation=federation, allocation=STATIC, privacy=privacy)
    noised = update_of(config)
    assert np.linalg.norm(exact) == pytest.approx(clip, rel=0.05)
    noise = noised - exact
    # Thousands of elements: the deviation is known to a few per cent, rounding adds a little.
    assert noise.std() == pytest.approx(clip * multiplier, rel=0.05)
    assert abs(noise.mean()) < 5 * clip * multiplier / math.sqrt(noise.size)
    np.testing.assert_array_equal(noised, update_of(config))
