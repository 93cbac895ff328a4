"""Cohorts on several nodes: one sum from each, and a node that goes costs no device."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
DEVICES = 40


@pytest.fixture
def scenario():
    """Run a scenario in a process of its own, which has a cluster of its own."""

    def run(*arguments, program="many_nodes.py"):
        command = [sys.executable, str(HERE / program), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240)  # noqa: S603
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])

    return run


def test_only_one_sum_leaves_each_node(scenario, tmp_path):
    seen = scenario("sums", tmp_path)
    # Three nodes of two CPUs each; every chunk's sum stays where it arose.
    assert (seen["cohorts"], seen["fogs"], seen["nodes"]) == (6, 3, 3)
    assert (seen["replies"], seen["updates"]) == (DEVICES, DEVICES)
    assert seen["chunks"] > 6
    assert seen["fetched"] == 3
    assert seen["strayed"] == 0


@pytest.mark.parametrize("nodes", [2, 3])
def test_a_node_removed_in_mid_round_costs_no_device_and_no_bit(scenario, nodes, tmp_path):
    seen = scenario(nodes, tmp_path)
    assert (seen["replies"], seen["errors"]) == (DEVICES, 0)
    assert seen["same"]
    assert seen["undisturbed"] == [1]
    # Those whose sums lay on the lost node ran once more; they had been answered and stay so.
    assert len(seen["ran_there"]) >= seen["lost_after_answer"] > 0
    assert set(seen["ran_there"]) == {2}
    assert set(seen["ran_elsewhere"]) <= {1, 2}
    assert seen["later_replies"] == DEVICES
    assert seen["later_nodes"] == nodes - 1


def test_a_run_whose_teachers_node_goes_gives_what_one_node_gives(
    scenario, small_yaml, reference, tmp_path
):
    seen = scenario("job", tmp_path, small_yaml)
    assert seen["removed"] == 1
    # The exporter's address is printed once: it stays on the driver's node.
    assert seen["telemetry_stays"] == [True]
    assert seen["engine"]["devices_lost"] == 0
    assert seen["engine"]["actor_restarts"] >= 1
    assert seen["final"] == reference["final"]


def test_states_beyond_the_object_stores_memory_go_to_disk_and_come_back(scenario):
    seen = scenario("spill", program="kept_states.py")
    assert seen["replies"] == [seen["devices"]] * 3
    assert seen["rounds"] == [[1], [2], [3]]
    assert seen["spilled"], seen["memory"]


def test_devices_whose_state_was_on_a_lost_node_begin_anew_and_are_counted(scenario):
    seen = scenario("anew", program="kept_states.py")
    assert 0 < seen["there"] < 12
    assert (seen["rounds_there"], seen["rounds_elsewhere"]) == ([1], [2])
    assert seen["counted"] == seen["there"]
    (line,) = seen["lines"]
    assert line.startswith(f"{seen['there']} devices begin anew")
