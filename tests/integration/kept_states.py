"""A program: devices that keep a megabyte each between rounds, on little memory and on lost nodes.

Usage: kept_states.py SCENARIO, which prints what it saw as JSON on its last line.
"""

import json
import logging.handlers
import sys
from typing import Any

import many_nodes
import ray
from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp
from ray._private.internal_api import memory_summary

from edgestill.actors import Pool, RayGrid
from edgestill.config import EngineConfig
from edgestill.federation import FIRST_NODE_ID
from edgestill.federation.messages import reply
from edgestill.telemetry import MetricStore

STATE_BYTES = 2**20
STATEFUL = 12


def more_state_than_memory() -> dict[str, Any]:
    """On one node with a small object store, devices keep three times what it holds."""
    store_bytes = 80 * 2**20
    ray.init(
        address="local",
        num_cpus=2,
        object_store_memory=store_bytes,
        include_dashboard=False,
        log_to_driver=False,
    )
    try:
        config = EngineConfig(cohorts=2)
        pool = Pool(hoarder(), config, MetricStore(), run_id=1, fingerprint=0)
        devices = 3 * store_bytes // STATE_BYTES
        grid = RayGrid(pool, devices)
        counts: list[dict[int, int]] = []
        for _ in range(3):
            sent = (
                Message(RecordDict({"a": ConfigRecord({"a": 1})}), FIRST_NODE_ID + n, "train")
                for n in range(devices)
            )
            replies = grid.send_and_receive(sent, timeout=200.0)
            counts.append({a.metadata.src_node_id: a.content["metrics"]["rounds"] for a in replies})
        memory = memory_summary(ray.get_runtime_context().gcs_address, stats_only=True)
        return {
            "devices": devices,
            "replies": [len(one) for one in counts],
            "rounds": [sorted(set(one.values())) for one in counts],
            "spilled": "Spilled" in memory,
            "memory": memory,
        }
    finally:
        ray.shutdown()


def states_of_a_lost_node() -> dict[str, Any]:
    """Between two rounds a node is removed, with the states of the devices that ran there."""
    with many_nodes.nodes(2, cpus=1) as (cluster, started):
        ray.init(address=cluster.address, log_to_driver=False)
        lines = logging.handlers.BufferingHandler(1000)
        logging.getLogger("edgestill.actors.states").addHandler(lines)
        store = MetricStore()
        pool = Pool(hoarder(), EngineConfig(), store, run_id=1, fingerprint=0)
        grid = RayGrid(pool, STATEFUL)

        def rounds() -> dict[int, int]:
            record = RecordDict({"a": ConfigRecord({"a": 1})})
            sent = [Message(record, FIRST_NODE_ID + n, "train") for n in range(STATEFUL)]
            return {
                answer.metadata.src_node_id: answer.content["metrics"]["rounds"]
                for answer in grid.send_and_receive(sent, timeout=120.0)
            }

        rounds()
        victim = started[-1].node_id
        there = [n for n in grid.get_node_ids() if grid._states.home(n) == victim]
        cluster.remove_node(started[-1], allow_graceful=False)
        after = rounds()
        return {
            "there": len(there),
            "rounds_there": sorted({after[node] for node in there}),
            "rounds_elsewhere": sorted({after[node] for node in after if node not in there}),
            "counted": store.value("edgestill_device_states_lost_total"),
            "lines": [record.getMessage() for record in lines.buffer],
        }


def hoarder() -> ClientApp:
    """Each device keeps a megabyte, all of the number of its rounds."""
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        before = context.state.get("kept", ConfigRecord({"rounds": 0, "blob": bytes(STATE_BYTES)}))
        rounds = before["rounds"] + 1
        if before["blob"] != bytes([rounds - 1]) * STATE_BYTES:
            raise ValueError("this is not what was kept")
        blob = bytes([rounds]) * STATE_BYTES
        context.state["kept"] = ConfigRecord({"rounds": rounds, "blob": blob})
        return reply(message, {"rounds": rounds}, frame=None)

    return app


if __name__ == "__main__":
    scenarios = {"spill": more_state_than_memory, "anew": states_of_a_lost_node}
    print(json.dumps(scenarios[sys.argv[1]]()))
