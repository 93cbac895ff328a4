"""What every process with devices knows: the data, who owns which samples, the model family."""

import threading
from dataclasses import dataclass

from edgestill.codec.modality import stages_of
from edgestill.config import LevelsConfig, RunConfig, StagesConfig, digest
from edgestill.data import Dataset, Owned, hold_out, load_dataset, partition
from edgestill.errors import ConfigurationError
from edgestill.federation.device.kept import check_personal
from edgestill.fleet import Fleet
from edgestill.models import Compress, ModelFamily, load_factory, reduce_resolution
from edgestill.seeds import derive_seed


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The fixed surroundings of a run, the same in every process.

    Attributes:
        owned: by device, the rows of the dataset that it trains on; may be empty. No array is kept
            for a device.
        held_out: by device, the rows that it tests on by itself; None where none are held out.
        family: of the student.
        fleet: used for its profiles only; its clock and batteries live with the coordinator.
        fingerprint: names the model and its configuration on the wire.
    """

    config: RunConfig
    dataset: Dataset
    owned: Owned
    held_out: Owned | None
    family: ModelFamily
    fleet: Fleet
    fingerprint: int

    @classmethod
    def build(cls, config: RunConfig) -> "World":
        """Open the dataset, deal its private part, load the factory.

        Raises:
            DataError: the dataset cannot be opened.
            ConfigurationError: more devices than private samples, or a factory that fails.
        """
        dataset = load_dataset(config.data)
        private = dataset.splits["private"]
        if config.fleet.devices > len(private) and config.data.partition.kind != "draw":
            raise ConfigurationError(
                f"fleet.devices: {config.fleet.devices} devices but only {len(private)} private "
                f"samples in {dataset.name}; at most one device per sample, or more that share "
                "samples with data.partition.kind: draw"
            )
        parts, held_out = _dealt(config, dataset)
        shapes = {kind: dataset.modalities[kind].shape for kind in dataset.kinds}
        factory = load_factory(config.student.factory, key="student.factory")
        _check_used(config.allocation.levels, dataset)
        family = ModelFamily(factory, shapes, dataset.classes, _compress(config, dataset))
        if config.training.personal:
            check_personal(config.training, list(family.initial_arrays(config.seed)))
        return cls(
            config=config,
            dataset=dataset,
            owned=parts.within(private),
            held_out=None if held_out is None else held_out.within(private),
            family=family,
            fleet=Fleet(config.fleet, config.seed),
            fingerprint=int(digest(config), 16) & 0xFFFF_FFFF,
        )


def _dealt(config: RunConfig, dataset: Dataset) -> tuple[Owned, Owned | None]:
    """Deal the private part: what each device trains on, and what it holds out."""
    private = dataset.splits["private"]
    users = None if dataset.users is None else dataset.users[private]
    parts = partition(
        config.data.partition,
        labels=dataset.labels[private],
        users=users,
        devices=config.fleet.devices,
        seed=derive_seed(config.seed, "partition"),
    )
    if not config.evaluation.held_out_share:
        return parts, None
    return hold_out(
        parts,
        config.evaluation.held_out_share,
        users=users if config.data.partition.kind == "user" else None,
        seed=config.seed,
    )


def _compress(config: RunConfig, dataset: Dataset) -> Compress:
    """Return the configured stages; a fitted one is the same in every process."""
    stages = config.allocation.stages
    if stages == StagesConfig():
        return reduce_resolution
    for name in ("audio", "sensor"):
        if name not in dataset.kinds and getattr(stages, name) != "resolution":
            raise ConfigurationError(
                f"allocation.stages.{name}: {dataset.name} has no {name}, so it is missing for all "
                f"devices; it has {', '.join(dataset.kinds)}"
            )
    return stages_of(stages, lambda kind: dataset.inputs(dataset.splits["public"])[kind])


def _check_used(levels: LevelsConfig, dataset: Dataset) -> None:
    used = {kind for _, level in levels for kind in level.modalities}
    for kind in dataset.kinds:
        if kind not in used:
            raise ConfigurationError(
                f"allocation.levels: {kind} is missing for all devices: {dataset.name} has it and "
                "no level's modalities name it, so the student could never learn it; name it in a "
                "level, or leave it out of the data set"
            )


_worlds: dict[str, World] = {}
_worlds_lock = threading.Lock()


def world_of(config: RunConfig) -> World:
    """Return this process's world of a configuration, built once."""
    key = config.model_dump_json()
    with _worlds_lock:
        if key not in _worlds:
            _worlds[key] = World.build(config)
        return _worlds[key]
