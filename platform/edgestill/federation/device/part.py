"""One device's part in a round, from instruction to coded update: what a real device would run."""

from dataclasses import dataclass, replace
from functools import lru_cache

from edgestill.codec import decode_arrays, encode_arrays
from edgestill.federation.device.figures import Answer, Figures
from edgestill.federation.device.kept import Kept, is_personal, personal_start, shared_shapes
from edgestill.federation.device.plan import Plan, plan
from edgestill.federation.messages import LATE, UNFIT, Instruction
from edgestill.federation.world import World
from edgestill.knowledge import KnowledgeBatch, decode_frame
from edgestill.models import Arrays, Variant, leading_block
from edgestill.privacy import add_gaussian_noise, clip_by_norm
from edgestill.seeds import derive_seed, generator
from edgestill.training import LaneMember, LocalWork, Samples, Trained, train

MODELS_KEPT = 8
"""Decoded model frames: the devices of a lane share one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A device that has planned its round and may train.

    Attributes:
        kept: what it has kept of earlier rounds.
        member: what it trains on, from where, and how.
    """

    device: int
    instruction: Instruction
    planned: Plan
    figures: Figures
    kept: Kept
    member: LaneMember

    @property
    def work(self) -> LocalWork:
        """What the trainer is to do."""
        return self.member.work


def take_part(
    world: World, device: int, instruction: Instruction, kept: Kept | None = None
) -> Answer:
    """Do one round: plan, train, clip, noise, encode.

    Raises:
        FrameError: the model or the knowledge is damaged or of another run.
    """
    prepared = prepare(world, device, instruction, kept or Kept())
    return (
        prepared if isinstance(prepared, Answer) else finish(world, prepared, fit(world, prepared))
    )


def prepare(world: World, device: int, instruction: Instruction, kept: Kept) -> Prepared | Answer:
    """Plan the round and unpack what was sent; an answer where the device cannot train in time.

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
    figures = Figures(world, device, instruction, planned, knowledge)
    if not planned.fits:
        return figures.without_update(UNFIT)
    if planned.spent.compute_s + planned.spent.downlink_s > instruction.closes_after_s:
        return figures.without_update(LATE)
    return Prepared(
        device=device,
        instruction=instruction,
        planned=planned,
        figures=figures,
        kept=kept,
        member=LaneMember(
            arrays=_start(world, instruction, planned.variant, kept),
            samples=Samples.of(world.dataset, world.owned[device]),
            knowledge=knowledge,
            work=figures.local_work(kept.optimizer),
        ),
    )


def fit(world: World, prepared: Prepared) -> Trained:
    """Train one device by the reference trainer."""
    member = prepared.member
    return train(
        world.family.module(member.work.variant.width),
        member.arrays,
        member.samples,
        member.knowledge,
        member.work,
        world.config.training,
        world.config.knowledge.loss,
    )


def finish(
    world: World, prepared: Prepared, trained: Trained, *, vectorized: bool = False
) -> Answer:
    """Clip, noise and encode what came of the training; personal parts stay."""
    training = world.config.training
    start = prepared.member.arrays
    personal = {
        name: array for name, array in trained.arrays.items() if is_personal(training, name)
    }
    delta = {name: trained.arrays[name] - start[name] for name in start if name not in personal}
    frame, norm = _protect_and_encode(world, prepared, delta)
    optimizer = trained.optimizer if training.keep_optimizer else {}
    answer = prepared.figures.with_update(frame, trained, norm, vectorized=vectorized)
    return replace(answer, kept=prepared.kept.after(personal, optimizer))


def _start(world: World, instruction: Instruction, variant: Variant, kept: Kept) -> Arrays:
    """Return what a device begins with: what it received, and its own personal parts."""
    training = world.config.training
    received = _model(instruction.model, world.fingerprint)
    shared = leading_block(received, shared_shapes(training, variant.shapes))
    if not training.personal:
        return shared
    seed = derive_seed(world.config.seed, "student")
    return {**shared, **personal_start(training, world.family, seed, variant.shapes, kept)}


@lru_cache(maxsize=MODELS_KEPT)
def _model(frame: bytes, fingerprint: int) -> Arrays:
    """Return a model frame's arrays, which nobody may write to."""
    arrays = decode_arrays(frame, fingerprint=fingerprint)
    for array in arrays.values():
        array.setflags(write=False)
    return arrays


def _knowledge(instruction: Instruction) -> KnowledgeBatch | None:
    if not instruction.knowledge:
        return None
    return decode_frame(instruction.knowledge, fingerprint=instruction.knowledge_fingerprint)


def _protect_and_encode(world: World, prepared: Prepared, delta: Arrays) -> tuple[bytes, float]:
    """Clip, add noise, quantise with stochastic rounding; also give the norm before clipping."""
    privacy = world.config.privacy
    where = {
        "round_number": prepared.instruction.round_number,
        "device": prepared.device,
    }
    clipped, norm = clip_by_norm(delta, privacy.update_clip_norm)
    if privacy.update_noise_multiplier:
        clipped = add_gaussian_noise(
            clipped,
            stddev=privacy.update_noise_multiplier * privacy.update_clip_norm,
            rng=generator(world.config.seed, "update-noise", **where),
        )
    frame = encode_arrays(
        clipped,
        bits=prepared.planned.allocation.bits,
        fingerprint=world.fingerprint,
        seed=derive_seed(world.config.seed, "rounding", **where),
    )
    return frame, norm
