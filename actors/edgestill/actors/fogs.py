"""The fogs of a pool: one on each node that has cohorts, so that one sum leaves each node."""

import logging
from dataclasses import dataclass
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from edgestill.actors.cluster import start_actor
from edgestill.actors.fog import Fog
from edgestill.actors.nodes import alive_nodes

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Post:
    """A fog's actor, and the node of the cluster that it was started on."""

    actor: Any
    node: str


class Fogs:
    """Starts fogs as nodes come to have cohorts.

    Args:
        teacher: name of the teacher's actor; None where no knowledge is asked for.
        number: how many fogs; None for one on each node.
    """

    def __init__(self, teacher: str | None, number: int | None) -> None:
        self._teacher = teacher
        self._here = ray.get_runtime_context().get_node_id()
        self._by_node = number is None
        nodes = sorted(alive_nodes(), key=lambda node: (node != self._here, node))
        self.posts = [self._start(nodes[i % len(nodes)]) for i in range(number or 0)]
        self._scattered = not self._by_node and len(nodes) > 1

    def of(self, node: str, cohort: int) -> Post:
        """Return the fog of a cohort on a node: one of the same node where there is any."""
        near = [post for post in self.posts if post.node == node]
        if self._by_node and not near:
            near = [self._start(node)]
            self.posts += near
        posts = near or self.posts
        return posts[cohort % len(posts)]

    def prune(self) -> None:
        """Forget the fogs of nodes that are gone."""
        if self._by_node:
            alive = alive_nodes()
            self.posts = [post for post in self.posts if post.node in alive]

    def may_be_lost(self, node: str, post: Post) -> bool:
        """Return whether sums of a cohort on a node can be lost while the driver lives."""
        return self._scattered or node != self._here or post.node != self._here

    def close(self) -> None:
        """End all fogs."""
        for post in self.posts:
            ray.kill(post.actor)

    def _start(self, node: str) -> Post:
        # Bound to its node a fog goes with it; one of a number is restarted on another.
        place = NodeAffinitySchedulingStrategy(node, soft=not self._by_node)
        return Post(start_actor(Fog, self._teacher, cpus=0, placement=place), node)
