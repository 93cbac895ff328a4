"""What a device reports about its round, in base units."""

from dataclasses import dataclass

from edgestill.allocation import pressure
from edgestill.federation.device.kept import Kept
from edgestill.federation.device.plan import Plan
from edgestill.federation.messages import DONE, LATE, Instruction
from edgestill.federation.world import World
from edgestill.fleet import Work, spend
from edgestill.knowledge import Coefficients, KnowledgeBatch, coefficients
from edgestill.models import Arrays
from edgestill.seeds import derive_seed
from edgestill.training import LocalWork, SamplePrivacy, Trained


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a device returns: its figures, and a coded update unless it was late or unfit.

    ``kept`` is what it keeps to itself; None where nothing has changed.
    """

    metrics: dict[str, float]
    frame: bytes | None
    kept: Kept | None = None


class Figures:
    """Collects what a device reports about its round, in base units."""

    def __init__(
        self,
        world: World,
        device: int,
        instruction: Instruction,
        planned: Plan,
        knowledge: KnowledgeBatch | None,
    ) -> None:
        self._world = world
        self._device = device
        self._instruction = instruction
        self._plan = planned
        self._knowledge_samples = 0 if knowledge is None else len(knowledge.labels)
        self._pressure = pressure(world.config.allocation.thresholds, instruction.vitals)

    @property
    def coefficients(self) -> Coefficients:
        """The weights of the loss's terms at this device's pressure."""
        return coefficients(self._world.config.knowledge.loss, self._pressure)

    def local_work(self, optimizer: Arrays) -> LocalWork:
        """Return what the trainer is to do, from the optimiser's state of an earlier round."""
        return LocalWork(
            variant=self._plan.variant,
            epochs=self._plan.allocation.epochs,
            coefficients=self.coefficients,
            pressure=self._pressure,
            proximal_mu=self._instruction.proximal_mu,
            seed=derive_seed(
                self._world.config.seed,
                "training",
                round_number=self._instruction.round_number,
                device=self._device,
            ),
            optimizer=optimizer,
            sample_privacy=SamplePrivacy.of(self._world.config.privacy),
        )

    def without_update(self, status: int) -> Answer:
        """Report a round without an update; a late device has spent what it could until the end."""
        whole = self._plan.spent
        share = 0.0
        if status == LATE:
            share = min(1.0, self._instruction.closes_after_s / whole.total_s)
        metrics = {
            **self._common(),
            "status": status,
            "done-ratio": share,
            "flops": self._plan.work.flops * share,
            "energy-j": whole.energy_j * share,
            "total-s": whole.total_s * share,
        }
        return Answer(metrics=metrics, frame=None)

    def with_update(
        self, frame: bytes, trained: Trained, norm: float, *, vectorized: bool
    ) -> Answer:
        """Report a trained round with the bytes as framed, late if these came too late."""
        work = Work(
            flops=self._plan.work.flops,
            downlink_bytes=self._plan.work.downlink_bytes,
            uplink_bytes=len(frame),
            memory_bytes=self._plan.work.memory_bytes,
        )
        spent = spend(self._world.fleet.profile_of(self._device), self._instruction.vitals, work)
        late = spent.total_s > self._instruction.closes_after_s
        metrics = {
            **self._common(),
            **{f"loss-{name}": value for name, value in trained.terms.items()},
            "status": LATE if late else DONE,
            "done-ratio": 1.0,
            "flops": work.flops,
            "energy-j": spent.energy_j,
            "total-s": spent.total_s,
            "uplink-update-bytes": len(frame),
            "update-norm": norm,
            "vectorized": int(vectorized),
        }
        return Answer(metrics=metrics, frame=None if late else frame)

    def _common(self) -> dict[str, float]:
        weights = self.coefficients
        return {
            "num-examples": self._world.owned.size_of(self._device),
            "severity": self._plan.allocation.level.severity,
            "pressure": self._pressure,
            "downlink-model-bytes": len(self._instruction.model),
            "downlink-knowledge-bytes": len(self._instruction.knowledge),
            "knowledge-samples": self._knowledge_samples,
            "uplink-update-bytes": 0,
            "coefficient-task": weights.task,
            "coefficient-distill": weights.distill,
            "coefficient-align": weights.align,
            "coefficient-resource": weights.resource,
        }
