"""The cloud's actor: it trains the teacher once, keeps its knowledge, and answers selections."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import ray
import torch

from edgestill.config import RunConfig
from edgestill.federation import (
    BankSource,
    Selection,
    SelectionRequest,
    Taught,
    World,
    distil_centrally,
    load_taught,
    save_taught,
    teach,
    world_of,
)
from edgestill.knowledge import SampleLayout
from edgestill.models import use_device
from edgestill.training import EpochScore

Kinds = tuple[str, ...]


class Teacher:
    """Holds the teacher's knowledge.

    After a restart the knowledge is read from the run's folder, or, where that is not to be seen
    from its node, learned again: the same seed gives the same teacher.
    """

    def __init__(self, config: RunConfig, folder: Path, device: str = "cpu") -> None:
        # One, as in cohorts: sums in another order would make another teacher, and threads that
        # wait for each other crawl where other processes want the cores too.
        torch.set_num_threads(1)
        use_device(device)
        self._config = config
        self._folder = folder
        self._taught: Taught | None = None

    def lessons(self) -> Iterator[EpochScore]:
        """Train the teacher and yield each epoch's score; nothing if it is trained already."""
        self._taught = load_taught(self._world, self._folder)
        if self._taught is None:
            self._taught = yield from teach(self._world)
            save_taught(self._taught, self._folder)

    def report(self) -> dict[str, Any]:
        """Return the teacher's row of the report."""
        return self._knowing().report

    def projection(self) -> bytes:
        """Return the frame of the public projection."""
        return self._source().projection()

    def fingerprint(self) -> int:
        """Return the bank's fingerprint."""
        return self._source().fingerprint()

    def select(self, requests: Sequence[SelectionRequest]) -> list[Selection]:
        """Select by the configured policy."""
        return self._source().select(requests)

    def layout(self, kinds: Kinds) -> SampleLayout:
        """Return how a public sample with these kinds lies in bytes."""
        return self._source().layout(kinds)

    def records(self, positions: Sequence[int], kinds: Kinds) -> list[bytes]:
        """Return one coded record per public sample."""
        return self._source().records(positions, kinds)

    def class_share(self) -> list[float]:
        """Return each class's share of the public samples."""
        return self._source().class_share()

    def distil_centrally(self) -> Iterator[float]:
        """Distil a student from public data alone and yield its test accuracy round by round."""
        yield from distil_centrally(self._world, self._knowing().bank)

    @property
    def _world(self) -> World:
        return world_of(self._config)

    def _knowing(self) -> Taught:
        if self._taught is None:
            for _ in self.lessons():
                pass
        return cast(Taught, self._taught)

    def _source(self) -> BankSource:
        bank = self._knowing().bank
        return BankSource(bank, self._config.knowledge, self._world.fingerprint)


class TeacherSource:
    """The teacher's actor as a source of knowledge; what never changes is asked for once."""

    def __init__(self, teacher: Any) -> None:
        self._teacher = teacher
        self._projection, self._fingerprint, self._class_share = ray.get(
            [
                teacher.projection.remote(),
                teacher.fingerprint.remote(),
                teacher.class_share.remote(),
            ]
        )
        self._layouts: dict[Kinds, SampleLayout] = {}

    def projection(self) -> bytes:
        """Return the frame of the public projection."""
        return cast(bytes, self._projection)

    def fingerprint(self) -> int:
        """Return the bank's fingerprint."""
        return cast(int, self._fingerprint)

    def class_share(self) -> list[float]:
        """Return each class's share of the public samples."""
        return cast(list[float], self._class_share)

    def select(self, requests: Sequence[SelectionRequest]) -> list[Selection]:
        """Let the teacher select."""
        return cast(list[Selection], ray.get(self._teacher.select.remote(requests)))

    def layout(self, kinds: Kinds) -> SampleLayout:
        """Return how a public sample with these kinds lies in bytes."""
        if kinds not in self._layouts:
            self._layouts[kinds] = ray.get(self._teacher.layout.remote(kinds))
        return self._layouts[kinds]

    def records(self, positions: Sequence[int], kinds: Kinds) -> list[bytes]:
        """Ask the teacher for records; fogs do this for devices."""
        return cast(list[bytes], ray.get(self._teacher.records.remote(list(positions), kinds)))
