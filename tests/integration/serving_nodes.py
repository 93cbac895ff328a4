"""A program: replicas on a Ray cluster of two nodes on this machine, one of which goes away.

Prints what it saw as JSON on its last line.
"""

import json
import sys
import time
import urllib.request
from pathlib import Path

from many_nodes import nodes

sys.path.append(str(Path(__file__).parents[1] / "platform" / "inference"))

import ray
import sums_model

from edgestill.actors.serving import Endpoint, Replicas
from edgestill.allocation import PoolBounds
from edgestill.inference.client import CloudClient
from edgestill.inference.service import ServiceSettings

ray.cloudpickle.register_pickle_by_value(sums_model)


def answers(bound) -> bool:
    """Return whether a replica says that it is ready, on its own port."""
    url = f"http://127.0.0.1:{bound.own_port}/health/ready"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return bool(answer.status == 200)


with nodes(2, cpus=2) as (cluster, both):
    ray.init(address=cluster.address, log_to_driver=False)
    endpoint = Endpoint(host="127.0.0.1", port=0, settings=ServiceSettings())
    bounds = PoolBounds(least=2, most=2, cool_down_s=0.0)
    replicas = Replicas(sums_model.Sums, endpoint, bounds)
    first = replicas.start()
    seen = {
        "nodes": len({bound.node_id for bound in first}),
        "ready": [answers(bound) for bound in first],
    }
    client = CloudClient(f"http://127.0.0.1:{first[0].port}", most_tries=8)
    ask = lambda value: client.ask(sums_model.frame(value), time.monotonic() + 20).answer.label  # noqa: E731
    seen["before"] = [ask(value) for value in range(20)]
    cluster.remove_node(both[1])
    until = time.monotonic() + 60
    while time.monotonic() < until:
        replicas.look()
        if len(replicas.bound) == 2 and len({one.node_id for one in replicas.bound}) == 1:
            break
        time.sleep(0.2)
    seen["after"] = [ask(value) for value in range(20)]
    seen["nodes_after"] = len({bound.node_id for bound in replicas.bound})
    client.close()
    replicas.close()
print(json.dumps(seen))
