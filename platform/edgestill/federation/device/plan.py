"""What a device makes of its group's allocation, and what that takes of it."""

from dataclasses import dataclass
from functools import lru_cache

from edgestill.allocation import Allocation, Level, lowered, refine
from edgestill.codec import frame_bound_bytes
from edgestill.config import TrainingConfig
from edgestill.federation.device.kept import shared_shapes
from edgestill.federation.world import World
from edgestill.fleet import Spent, Vitals, Work, fits, spend
from edgestill.models import Variant


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a device makes of its group's allocation.

    Attributes:
        allocation: refined by the device's own state, as low as its memory needs.
        variant: the part of the model that this means.
        work: operations, bytes and memory; uplink bytes are an upper bound.
        spent: time and energy that this takes.
        fits: whether even the lowest level's memory is at hand.
    """

    allocation: Allocation
    variant: Variant
    work: Work
    spent: Spent
    fits: bool


def _update_bound_bytes(world: World, variant: Variant, bits: int) -> int:
    return _bound_bytes(world.config.training, tuple(variant.shapes.items()), bits)


# The same for all devices with the same work; working it out takes longer than the rest of a plan.
@lru_cache(maxsize=1024)
def _bound_bytes(
    training: TrainingConfig, shapes: tuple[tuple[str, tuple[int, ...]], ...], bits: int
) -> int:
    return frame_bound_bytes(shared_shapes(training, dict(shapes)), bits=bits)


def plan(
    world: World,
    device: int,
    allocation: Allocation,
    vitals: Vitals,
    *,
    model_bytes: int,
    knowledge_bytes: int,
    knowledge_samples: int,
) -> Plan:
    """Refine an allocation on the device and foretell what it takes.

    Lowers the level until the work fits the free memory. The coordinator calls the same function to
    foretell who will answer in time.
    """
    config = world.config
    chosen = refine(allocation, vitals, config.allocation)
    while True:
        variant = world.family.variant(chosen.modalities, chosen.width)
        samples = (world.owned.size_of(device) + knowledge_samples) * chosen.epochs
        work = Work(
            flops=variant.cost.training_flops(samples),
            downlink_bytes=model_bytes + knowledge_bytes,
            uplink_bytes=_update_bound_bytes(world, variant, chosen.bits),
            memory_bytes=variant.cost.training_memory_bytes(config.training.batch_size),
        )
        fitting = fits(vitals, work)
        if fitting or chosen.level is Level.CRITICAL:
            break
        chosen = lowered(chosen, chosen.level.lowered(), config.allocation)
    spent = spend(world.fleet.profile_of(device), vitals, work)
    return Plan(allocation=chosen, variant=variant, work=work, spent=spent, fits=fitting)
