"""How much of this machine's matrix-product rate vectorized lanes reach, on one thread.

The rate is measured beside the lanes: of the batched products of the work's largest layer, one for
each device of a lane, and of one large product. Operations are those that the model needs
(forward pass times three), not those that an implementation spends.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from edgestill.federation import World
from edgestill.jobs.benchmarks.simulation_work import BATCH_SIZE, EPOCHS
from edgestill.knowledge import coefficients
from edgestill.seeds import derive_seed
from edgestill.training import LaneMember, LocalWork, Samples, train, train_lane

LANE = 64
REPEATS = 7
LARGE = 1024
SECONDS_EACH = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Products:
    """A batch of matrix products: ``count`` times [rows, inner] by [inner, columns]."""

    count: int
    rows: int
    inner: int
    columns: int

    @property
    def flops(self) -> int:
        """Operations; a multiply-add counts two."""
        return 2 * self.count * self.rows * self.inner * self.columns


# The second convolution of the small network as a product: 32 channels from 16 x 3 x 3, at 4 x 4
# places of each sample of a batch. The perceptron's first layer, 64 units to 128.
LARGEST = {
    "small_cnn": Products(count=LANE, rows=32, inner=144, columns=16 * BATCH_SIZE),
    "mlp": Products(count=LANE, rows=BATCH_SIZE, inner=64, columns=128),
}


def lane_share(world: World) -> dict[str, Any]:
    """Return the rates of a digits work's lanes and of products, on one thread.

    The rates take turns, so that what else the machine does falls on all alike.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _rates(world)
    finally:
        torch.set_num_threads(threads)


def _rates(world: World) -> dict[str, Any]:
    members = lane_members(world, LANE)
    module, config = world.family.module(1.0), world.config
    variant = members[0].work.variant
    flops = variant.cost.training_flops(len(members[0].samples) * EPOCHS)

    def lane() -> None:
        train_lane(module, members, config.training, config.knowledge.loss)

    def alone() -> None:
        one = members[0]
        loss = config.knowledge.loss
        train(module, one.arrays, one.samples, None, one.work, config.training, loss)

    small = _product(LARGEST[world.config.name])
    large = _product(Products(count=1, rows=LARGE, inner=LARGE, columns=LARGE))
    for step in (lane, alone, small, large):
        step()
    took_s = [[_took_s(step) for step in (lane, alone, small, large)] for _ in range(REPEATS)]
    lane_s, alone_s, small_s, large_s = (
        statistics.median(column) for column in zip(*took_s, strict=True)
    )
    lane_rate = flops * LANE / lane_s
    batched = LARGEST[world.config.name].flops / small_s
    return {
        "devices_per_s_lane": LANE / lane_s,
        "devices_per_s_sequential": 1 / alone_s,
        "flops_per_device": flops,
        "lane_gflop_per_s": lane_rate / 1e9,
        "batched_product_gflop_per_s": batched / 1e9,
        "large_product_gflop_per_s": 2 * LARGE**3 / large_s / 1e9,
        "share_of_batched_product": lane_rate / batched,
        "share_of_large_product": lane_rate * large_s / (2 * LARGE**3),
    }


def lane_members(world: World, count: int) -> list[LaneMember]:
    """Return the first round's work of the first ``count`` devices of a digits world."""
    config = world.config
    variant = world.family.variant(dict.fromkeys(world.dataset.kinds, 1.0), 1.0)
    initial = world.family.initial_arrays(derive_seed(config.seed, "student"))
    return [
        LaneMember(
            arrays=initial,
            samples=Samples.of(world.dataset, world.owned[device]),
            knowledge=None,
            work=LocalWork(
                variant=variant,
                epochs=EPOCHS,
                coefficients=coefficients(config.knowledge.loss, 0.0),
                pressure=0.0,
                proximal_mu=0.0,
                seed=derive_seed(config.seed, "training", round_number=1, device=device),
            ),
        )
        for device in range(count)
    ]


def _product(products: Products) -> Callable[[], object]:
    left = torch.randn(products.count, products.rows, products.inner)
    right = torch.randn(products.count, products.inner, products.columns)
    out = torch.empty(products.count, products.rows, products.columns)
    return lambda: torch.bmm(left, right, out=out)


def _took_s(step: Callable[[], object]) -> float:
    """Return the mean seconds of a step, repeated for long enough to be timed."""
    count, began = 0, time.perf_counter()
    while (passed := time.perf_counter() - began) < SECONDS_EACH:
        step()
        count += 1
    return passed / count if count else passed
