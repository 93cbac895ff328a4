"""Every device by itself: no teacher, no averaging, the same passes over its own data."""

from flwr.app import Message
from flwr.serverapp import Grid

from edgestill.allocation import Level, allocation_of
from edgestill.config import RunConfig
from edgestill.federation.aggregation.collect import Collected
from edgestill.federation.coordination.coordinator import Coordinator
from edgestill.federation.coordination.surroundings import Surroundings
from edgestill.models import Arrays, leading_block, load_arrays
from edgestill.training import evaluate


def alone_config(config: RunConfig) -> RunConfig:
    """Return the configuration in which one round holds all the epochs of a run.

    Updates come back whole: unclipped, at 16 bits, each by itself.
    """
    rounds = config.federation.rounds
    levels = {
        name: level.model_copy(
            update={"epochs": level.epochs * rounds, "bits": 16, "participation": 1.0}
        )
        for name, level in config.allocation.levels
    }
    return without_teacher(config).model_copy(
        update={
            "allocation": config.allocation.model_copy(
                update={"levels": config.allocation.levels.model_copy(update=levels)}
            ),
            "federation": config.federation.model_copy(
                update={
                    "rounds": 1,
                    "strategy": "FedMedian",
                    "options": {},
                    "fraction": 1.0,
                    "over_selection": 0.0,
                    "deadline_s": None,
                    "mode": "synchronous",
                    "selection": "uniform",
                }
            ),
            "privacy": config.privacy.model_copy(
                update={"update_clip_norm": 1e6, "update_noise_multiplier": 0.0}
            ),
        }
    )


def without_teacher(config: RunConfig) -> RunConfig:
    """Return the configuration of plain training on labels: no knowledge, cross-entropy only."""
    loss = config.knowledge.loss.model_copy(update={"align": 0.0, "resource": 0.0})
    return config.model_copy(
        update={
            "knowledge": config.knowledge.model_copy(update={"selection": "none", "loss": loss}),
            "comparisons": (),
        }
    )


class AloneCoordinator(Coordinator):
    """Scores each device's own model on the test part instead of averaging.

    A model is scored with the modalities and the width that its device can run.
    """

    def __init__(self, grid: Grid, surroundings: Surroundings) -> None:
        super().__init__(grid, surroundings)
        self.accuracies: dict[int, float] = {}

    def _step(self, round_number: int, collected: Collected, request: Message) -> None:
        del round_number, request
        for device, update in collected.updates.items():
            level = Level.of_severity(int(collected.figures[device]["severity"]))
            self.accuracies[device] = self._accuracy(level, update.delta)

    def _accuracy(self, level: Level, delta: Arrays) -> float:
        world = self._world
        allocation = allocation_of(world.config.allocation.levels, level, world.dataset.kinds)
        shapes = {name: change.shape for name, change in delta.items()}
        initial = leading_block(self.state.arrays, shapes)
        module = world.family.module(allocation.width)
        load_arrays(module, {name: initial[name] + change for name, change in delta.items()})
        dataset = world.dataset
        rows, compress = dataset.splits["test"], world.family.compress
        return evaluate(module, dataset, rows, allocation.modalities, compress).accuracy
