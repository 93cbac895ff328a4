"""The devices of a batch, trained together where their work has one shape."""

import logging
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from functools import cache

from edgestill.federation.device.part import Prepared
from edgestill.federation.world import World
from edgestill.models import training_device
from edgestill.training import Trained, lane_key, lane_refusal, train_lane

log = logging.getLogger(__name__)


def fit_lanes(world: World, prepared: Mapping[int, Prepared]) -> dict[int, Trained]:
    """Train in lanes and return what came of it, under the same keys.

    Whoever is missing in the answer is to be trained one by one: the model cannot be vectorized,
    the reference trainer was asked for, or the lane failed, which must not cost its other devices.
    """
    if world.config.engine.trainer == "sequential":
        return {}
    trained: dict[int, Trained] = {}
    for keys in _lanes(world, prepared):
        members = [prepared[key] for key in keys]
        try:
            together = _fit_lane(world, members)
        except (RuntimeError, ValueError, TypeError, NotImplementedError) as error:
            # Whose fault it was shows when each is trained by itself.
            log.warning("a lane of %d devices failed: %s", len(members), _first_line(error))
            continue
        trained.update(zip(keys, together, strict=True))
    return trained


def _lanes(world: World, prepared: Mapping[int, Prepared]) -> list[list[int]]:
    """Return the keys of devices with one shape of work, of models that can be vectorized."""
    lanes: defaultdict[Hashable, list[int]] = defaultdict(list)
    for key, one in prepared.items():
        module = world.family.module(one.work.variant.width)
        refusal = lane_refusal(module, one.member)
        if refusal is None:
            lanes[lane_key(one.member, world.config.training)].append(key)
        else:
            _tell_once(refusal)
    return list(lanes.values())


@cache
def _tell_once(refusal: str) -> None:
    log.warning("devices are trained one by one: %s", refusal)


def _fit_lane(world: World, members: Sequence[Prepared]) -> list[Trained]:
    return train_lane(
        world.family.module(members[0].work.variant.width),
        [one.member for one in members],
        world.config.training,
        world.config.knowledge.loss,
        device=training_device(),
    )


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
