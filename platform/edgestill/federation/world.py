"""What every process with devices knows: the data, who owns which samples, the model family."""

import threading
from dataclasses import dataclass

from edgestill.config import RunConfig, digest
from edgestill.data import Dataset, Owned, load_dataset, partition
from edgestill.errors import ConfigurationError
from edgestill.federation.device.kept import check_personal
from edgestill.fleet import Fleet
from edgestill.models import ModelFamily, load_factory
from edgestill.seeds import derive_seed


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The fixed surroundings of a run, the same in every process.

    Attributes:
        owned: by device, the rows of the dataset that it holds; may be empty. No array is kept for
            a device.
        family: of the student.
        fleet: used for its profiles only; its clock and batteries live with the coordinator.
        fingerprint: names the model and its configuration on the wire.
    """

    config: RunConfig
    dataset: Dataset
    owned: Owned
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
        parts = partition(
            config.data.partition,
            labels=dataset.labels[private],
            users=None if dataset.users is None else dataset.users[private],
            devices=config.fleet.devices,
            seed=derive_seed(config.seed, "partition"),
        )
        shapes = {kind: dataset.modalities[kind].shape for kind in dataset.kinds}
        factory = load_factory(config.student.factory, key="student.factory")
        family = ModelFamily(factory, shapes, dataset.classes)
        if config.training.personal:
            check_personal(config.training, list(family.initial_arrays(config.seed)))
        return cls(
            config=config,
            dataset=dataset,
            owned=parts.within(private),
            family=family,
            fleet=Fleet(config.fleet, config.seed),
            fingerprint=int(digest(config), 16) & 0xFFFF_FFFF,
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
