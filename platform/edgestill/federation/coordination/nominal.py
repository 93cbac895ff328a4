"""What work takes by the data sheets, before anything was learned of the devices themselves."""

from edgestill.allocation import Allocation, GroupSignals
from edgestill.codec import frame_bound_bytes
from edgestill.federation.device.kept import shared_shapes
from edgestill.federation.sources import KnowledgeSource
from edgestill.federation.world import World
from edgestill.fleet import DeviceProfile, Vitals, Work, spend

_UNIT = 10**9


def option_load(
    world: World, source: KnowledgeSource, option: Allocation, samples: int
) -> tuple[float, float, float]:
    """Return the operations of one sample once, and the bytes down and up, of an option."""
    variant = world.family.variant(option.modalities, option.width)
    travelling = shared_shapes(world.config.training, variant.shapes)
    down = frame_bound_bytes(travelling, bits=world.config.federation.downlink_bits)
    if samples:
        down += samples * source.layout(tuple(option.modalities)).record_bytes
    up = frame_bound_bytes(travelling, bits=option.bits)
    return float(variant.cost.training_flops(1)), float(down), float(up)


def nominal_rates(
    profile: DeviceProfile, signals: GroupSignals | None
) -> tuple[float, float, float, float]:
    """Return the nominal seconds of one operation, of a byte down and up, and of the round trips.

    Under the group's load and temperature, over the profile's whole link.
    """
    cpu, heat_c = (None, None) if signals is None else (signals.cpu_ratio, signals.temperature_c)
    vitals = Vitals(
        cpu_ratio=0.0 if cpu is None else cpu,
        free_memory_bytes=profile.memory_bytes,
        battery_ratio=1.0,
        temperature_c=profile.ambient_c if heat_c is None else heat_c,
        bandwidth_ratio=1.0,
        available=True,
    )
    work = Work(flops=_UNIT, downlink_bytes=_UNIT, uplink_bytes=_UNIT, memory_bytes=0.0)
    spent, wait_s = spend(profile, vitals, work), profile.round_trip_s
    return (
        spent.compute_s / _UNIT,
        (spent.downlink_s - wait_s) / _UNIT,
        (spent.uplink_s - wait_s) / _UNIT,
        2.0 * wait_s,
    )
