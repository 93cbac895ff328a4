"""A program: federations on a Ray cluster of several nodes on this machine, some of which go away.

Usage: many_nodes.py SCENARIO FOLDER [CONFIG], which prints what it saw as JSON on its last line.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import numpy as np
import ray
from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp
from ray.cluster_utils import Cluster
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from edgestill.actors import Pool, RayGrid, Teacher, Telemetry, start_actor
from edgestill.actors.sums import Sums
from edgestill.codec import encode_arrays
from edgestill.config import EngineConfig, load
from edgestill.federation import FIRST_NODE_ID, Aggregate
from edgestill.federation.aggregation.fold import read_sum
from edgestill.federation.messages import reply
from edgestill.jobs import main_job, run_folder
from edgestill.telemetry import MetricStore

DEVICES = 40
QUICK_TO_NOTICE = {
    "health_check_initial_delay_ms": 1000,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 1000,
    "health_check_failure_threshold": 3,
}
ELEMENTS = 30_000
"""A sum of these takes 240 kB: Ray does not send it along with a reply."""


@contextmanager
def nodes(count: int, cpus: int = 1) -> Iterator[tuple[Cluster, list[Any]]]:
    """Run a cluster of so many nodes; the first is the driver's."""
    head = {"num_cpus": cpus, "include_dashboard": False, "_system_config": QUICK_TO_NOTICE}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        more = [cluster.add_node(num_cpus=cpus) for _ in range(count - 1)]
        cluster.wait_for_nodes()
        yield cluster, [cluster.head_node, *more]
    finally:
        ray.shutdown()
        cluster.shutdown()


def app(folder: Path, seconds: float) -> ClientApp:
    """Each device answers a change that only it would make, and where it ran; each run is noted."""
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        device = int(context.node_config["partition-id"])
        with (folder / str(device)).open("a") as note:
            note.write("1")
        before = context.state.get("kept", ConfigRecord({"rounds": 0}))
        rounds = before["rounds"] + 1
        context.state["kept"] = ConfigRecord({"rounds": rounds, "blob": bytes(4096)})
        time.sleep(seconds)
        change = np.random.default_rng(device).normal(size=ELEMENTS).astype(np.float32)
        frame = encode_arrays({"x": change}, bits=16, fingerprint=0)
        figures = {"num-examples": device + 1, "rounds": rounds}
        answer = reply(message, figures, frame=frame, reduce="sum")
        answer.content["where"] = ConfigRecord({"node": ray.get_runtime_context().get_node_id()})
        return answer

    return app


def asked() -> list[Message]:
    return [
        Message(RecordDict({"config": ConfigRecord({"a": 1})}), FIRST_NODE_ID + device, "train")
        for device in range(DEVICES)
    ]


def one_round(grid: RayGrid, after: Callable[[int, str], None] | None = None) -> dict[str, Any]:
    """Run a round and return what came of it; ``after`` sees each reply as it comes."""
    where: dict[int, str] = {}
    rounds: dict[int, int] = {}
    total, errors, replies = None, 0, 0
    for answer in grid.send_and_receive(asked(), timeout=120.0):
        if (found := read_sum(answer)) is not None:
            total = found
            continue
        replies += 1
        if answer.has_error():
            errors += 1
            continue
        device = answer.metadata.src_node_id - FIRST_NODE_ID
        where[device] = str(answer.content["where"]["node"])
        rounds[device] = answer.content["metrics"]["rounds"]
        if after is not None:
            after(replies, where[device])
    bits = "" if total is None else total.sums["x", (ELEMENTS,)].tobytes().hex()
    return {
        "replies": replies,
        "errors": errors,
        "updates": 0 if total is None else total.updates,
        "bits": bits,
        "where": where,
        "rounds": rounds,
    }


def runs(folder: Path) -> dict[int, int]:
    """Return how often each device ran, and forget it."""
    counts = {int(note.name): note.stat().st_size for note in folder.iterdir()}
    for note in folder.iterdir():
        note.unlink()
    return counts


class Crossings:
    """Counts the sums that this process fetches, and on how many nodes each sum lies."""

    def __init__(self) -> None:
        self.fetched = 0
        self.loose: list[Any] = []
        get, add = ray.get, Sums.add

        def counting(references: Any, **more: Any) -> Any:
            value = get(references, **more)
            self.fetched += isinstance(value, Aggregate)
            return value

        def noting(sums: Sums, fog: Any, reference: Any, chunk: Any) -> None:
            self.loose.append((reference, fog.node))
            add(sums, fog, reference, chunk)

        ray.get, Sums.add = counting, noting  # type: ignore[method-assign]

    def strayed(self) -> int:
        """Return how many cohorts' sums lie on another node than their fog's."""
        places = ray.experimental.get_object_locations([one for one, _ in self.loose])
        return sum(places[one]["node_ids"] != [node] for one, node in self.loose)


def one_sum_from_each_node(folder: Path) -> dict[str, Any]:
    """Three nodes, one undisturbed round on one cohort for each CPU."""
    with nodes(3, cpus=2) as (cluster, _):
        ray.init(address=cluster.address, log_to_driver=False)
        pool = Pool(app(folder, 0.02), EngineConfig(), MetricStore(), run_id=1, fingerprint=0)
        crossings = Crossings()
        seen = one_round(RayGrid(pool, DEVICES))
        return {
            "cohorts": len(pool.open()),
            "fogs": pool.engine()["fogs"],
            "replies": seen["replies"],
            "updates": seen["updates"],
            "nodes": len(set(seen["where"].values())),
            "fetched": crossings.fetched,
            "chunks": len(crossings.loose),
            "strayed": crossings.strayed(),
        }


def a_node_goes(folder: Path, count: int) -> dict[str, Any]:
    """A node is removed after half of the replies; then one round more on those that are left."""
    with nodes(count, cpus=1) as (cluster, started):
        ray.init(address=cluster.address, log_to_driver=False)
        store = MetricStore()
        pool = Pool(app(folder, 0.1), EngineConfig(), store, run_id=1, fingerprint=0)
        whole = one_round(RayGrid(pool, DEVICES))
        undisturbed = runs(folder)
        grid = RayGrid(pool, DEVICES)
        victim = started[-1]
        answered: list[str] = []
        removed_s = 0.0

        def after(replies: int, node: str) -> None:
            nonlocal removed_s
            answered.append(node)
            if replies == DEVICES // 2:
                removed_s = time.monotonic()
                cluster.remove_node(victim, allow_graceful=False)

        seen = one_round(grid, after)
        took_s = time.monotonic() - removed_s
        ran = runs(folder)
        again = one_round(grid)
        lost = victim.node_id
        return {
            "replies": seen["replies"],
            "errors": seen["errors"],
            "same": seen["bits"] == whole["bits"] == again["bits"] != "",
            "undisturbed": sorted(set(undisturbed.values())),
            "lost_after_answer": sum(node == lost for node in answered[: DEVICES // 2]),
            "ran_there": sorted(ran[d] for d, node in seen["where"].items() if node == lost),
            "ran_elsewhere": sorted({ran[d] for d, node in seen["where"].items() if node != lost}),
            "later_replies": again["replies"],
            "later_rounds": sorted(set(again["rounds"].values())),
            "later_nodes": len(set(again["where"].values())),
            "states_lost": store.value("edgestill_device_states_lost_total"),
            "recovery_s": took_s,
        }


def a_run_loses_a_node(folder: Path, config: Path) -> dict[str, Any]:
    """The main job on two nodes; the one with the teacher goes after the first checkpoint."""
    with nodes(2, cpus=2) as (cluster, started):
        victim = started[-1]
        place = NodeAffinitySchedulingStrategy(victim.node_id, soft=True)

        stays: list[bool] = []

        def started_there(kind: type, *given: Any, **more: Any) -> Any:
            if kind is Telemetry:
                pinned = more["placement"]
                stays.append(pinned.node_id == cluster.head_node.node_id and not pinned.soft)
            return start_actor(
                kind, *given, **more | ({"placement": place} if kind is Teacher else {})
            )

        main_job.start_actor = started_there
        removed: list[str] = []

        def remove() -> None:
            while len(list(folder.glob("checkpoints/*.safetensors"))) < 1:
                time.sleep(0.01)
            removed.append(victim.node_id)
            cluster.remove_node(victim, allow_graceful=False)

        threading.Thread(target=remove, daemon=True).start()
        ran = run_folder.create(load(config, []), folder)
        report = main_job.run_job(ran, address=cluster.address, quiet=True)
        return {
            "final": report["final"],
            "engine": report["engine"],
            "removed": len(removed),
            "telemetry_stays": stays,
        }


if __name__ == "__main__":
    scenario, where = sys.argv[1], Path(sys.argv[2])
    seen: dict[str, Any]
    if scenario == "sums":
        seen = one_sum_from_each_node(where)
    elif scenario in ("2", "3"):
        seen = a_node_goes(where, int(scenario))
    else:
        seen = a_run_loses_a_node(where, Path(sys.argv[3]))
    print(json.dumps(seen))
