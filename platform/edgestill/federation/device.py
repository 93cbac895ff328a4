"""One device's part in a round, from instruction to coded update: what a real device would run."""

from dataclasses import dataclass

from edgestill.allocation import Allocation, Level, lowered, pressure, refine
from edgestill.codec import decode_arrays, encode_arrays, frame_bound_bytes
from edgestill.federation.messages import DONE, LATE, UNFIT, Instruction
from edgestill.federation.world import World
from edgestill.fleet import Spent, Vitals, Work, fits, spend
from edgestill.knowledge import Coefficients, KnowledgeBatch, coefficients, decode_frame
from edgestill.models import Arrays, Variant, leading_block
from edgestill.privacy import add_gaussian_noise, clip_by_norm
from edgestill.seeds import derive_seed, generator
from edgestill.training import LocalWork, Samples, Trained, train


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a device returns: its figures, and a coded update unless it was late or unfit."""

    metrics: dict[str, float]
    frame: bytes | None


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
        samples = (len(world.owned[device]) + knowledge_samples) * chosen.epochs
        work = Work(
            flops=variant.cost.training_flops(samples),
            downlink_bytes=model_bytes + knowledge_bytes,
            uplink_bytes=frame_bound_bytes(variant.shapes, bits=chosen.bits),
            memory_bytes=variant.cost.training_memory_bytes(config.training.batch_size),
        )
        fitting = fits(vitals, work)
        if fitting or chosen.level is Level.CRITICAL:
            break
        chosen = lowered(chosen, chosen.level.lowered(), config.allocation)
    spent = spend(world.fleet.profile_of(device), vitals, work)
    return Plan(allocation=chosen, variant=variant, work=work, spent=spent, fits=fitting)


def take_part(world: World, device: int, instruction: Instruction) -> Answer:
    """Do one round: plan, train, clip, noise, encode.

    Raises:
        FrameError: the model or the knowledge is damaged or of another run.
    """
    knowledge = _knowledge(instruction)
    planned = plan(
        world,
        device,
        instruction.allocation,
        instruction.vitals,
        model_bytes=len(instruction.model),
        knowledge_bytes=len(instruction.knowledge),
        knowledge_samples=0 if knowledge is None else len(knowledge.labels),
    )
    figures = _Figures(world, device, instruction, planned, knowledge)
    if not planned.fits:
        return figures.without_update(UNFIT)
    if planned.spent.compute_s + planned.spent.downlink_s > instruction.closes_after_s:
        return figures.without_update(LATE)
    received = leading_block(
        decode_arrays(instruction.model, fingerprint=world.fingerprint), planned.variant.shapes
    )
    trained = train(
        world.family.module(planned.allocation.width),
        received,
        Samples.of(world.dataset, world.owned[device]),
        knowledge,
        figures.local_work(),
        world.config.training,
        world.config.knowledge.loss,
    )
    delta = {name: trained.arrays[name] - received[name] for name in received}
    frame, norm = _protect_and_encode(world, device, instruction, planned, delta)
    return figures.with_update(frame, trained, norm)


def _knowledge(instruction: Instruction) -> KnowledgeBatch | None:
    if not instruction.knowledge:
        return None
    return decode_frame(instruction.knowledge, fingerprint=instruction.knowledge_fingerprint)


def _protect_and_encode(
    world: World, device: int, instruction: Instruction, planned: Plan, delta: Arrays
) -> tuple[bytes, float]:
    """Clip, add noise, quantise with stochastic rounding; also give the norm before clipping."""
    privacy = world.config.privacy
    where = {"round_number": instruction.round_number, "device": device}
    clipped, norm = clip_by_norm(delta, privacy.update_clip_norm)
    if privacy.update_noise_multiplier:
        clipped = add_gaussian_noise(
            clipped,
            stddev=privacy.update_noise_multiplier * privacy.update_clip_norm,
            rng=generator(world.config.seed, "update-noise", **where),
        )
    frame = encode_arrays(
        clipped,
        bits=planned.allocation.bits,
        fingerprint=world.fingerprint,
        seed=derive_seed(world.config.seed, "rounding", **where),
    )
    return frame, norm


class _Figures:
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
        return coefficients(self._world.config.knowledge.loss, self._pressure)

    def local_work(self) -> LocalWork:
        """Return what the trainer is to do."""
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

    def with_update(self, frame: bytes, trained: Trained, norm: float) -> Answer:
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
        }
        return Answer(metrics=metrics, frame=None if late else frame)

    def _common(self) -> dict[str, float]:
        weights = self.coefficients
        return {
            "num-examples": len(self._world.owned[self._device]),
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
