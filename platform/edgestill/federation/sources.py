"""Where the coordinator asks for knowledge: a teacher's bank, here or in an actor."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgestill.config import KnowledgeConfig
from edgestill.knowledge import (
    KnowledgeBank,
    SampleLayout,
    Summary,
    encode_projection,
    select,
)

Positions = NDArray[np.int64]
Kinds = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionRequest:
    """A device's wish for knowledge: its summary, if it gave one, and the seed of its draw.

    ``samples`` are how many it can take in time; None for ``knowledge.samples_per_round``.
    """

    summary: Summary | None
    seed: int
    samples: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What was selected for a device: positions in the bank [n], their classes' counts [K].

    ``relevance`` [n] is what each counts, in parts of the largest, 255; None: all the same.
    ``lower_rate`` says that half of each sample's bits are not sent.
    """

    positions: Positions
    class_counts: NDArray[np.int64]
    relevance: NDArray[np.uint8] | None = None
    lower_rate: bool = False


class KnowledgeSource(Protocol):
    """A teacher's knowledge, wherever it lives."""

    def projection(self) -> bytes:
        """Return the frame of the public projection that summaries are made with."""

    def select(self, requests: Sequence[SelectionRequest]) -> list[Selection]:
        """Select for many devices; the answer to a request depends on that request alone."""

    def fingerprint(self) -> int:
        """Return what the frames of this knowledge carry."""

    def layout(self, kinds: Kinds) -> SampleLayout:
        """Return how a public sample with these kinds lies in bytes."""

    def records(self, positions: Sequence[int], kinds: Kinds) -> list[bytes]:
        """Return one coded record per public sample."""

    def class_share(self) -> list[float]:
        """Return each class's share of the public samples [K]."""


class BankSource:
    """A teacher's bank in this process."""

    def __init__(self, bank: KnowledgeBank, config: KnowledgeConfig, fingerprint: int) -> None:
        self._bank = bank
        self._config = config
        self._fingerprint = fingerprint

    def projection(self) -> bytes:
        """Return the frame of the public projection."""
        return encode_projection(self._bank.projection, fingerprint=self._fingerprint)

    def select(self, requests: Sequence[SelectionRequest]) -> list[Selection]:
        """Select by the configured policy."""
        return [self._select(request) for request in requests]

    def fingerprint(self) -> int:
        """Return the bank's fingerprint."""
        return self._bank.fingerprint

    def layout(self, kinds: Kinds) -> SampleLayout:
        """Return the bank's layout for these kinds."""
        return self._bank.layout(kinds)

    def records(self, positions: Sequence[int], kinds: Kinds) -> list[bytes]:
        """Return the bank's records."""
        return self._bank.records(np.asarray(positions, np.int64), kinds)

    def class_share(self) -> list[float]:
        """Return each class's share of the bank."""
        counts = np.bincount(self._bank.labels, minlength=self._bank.classes)
        return [float(share) for share in counts / counts.sum()]

    def _select(self, request: SelectionRequest) -> Selection:
        choice = select(
            self._config,
            bank=self._bank,
            summary=request.summary,
            rng=np.random.default_rng(request.seed),
            budget=self._config.samples_per_round if request.samples is None else request.samples,
        )
        counts = np.bincount(self._bank.labels[choice.positions], minlength=self._bank.classes)
        return Selection(
            positions=choice.positions, class_counts=counts, relevance=choice.relevance
        )


class NoSource:
    """No teacher: nothing is selected. For plain federated averaging."""

    def __init__(self, classes: int) -> None:
        self._classes = classes

    def projection(self) -> bytes:
        """Return no frame."""
        return b""

    def select(self, requests: Sequence[SelectionRequest]) -> list[Selection]:
        """Select nothing."""
        nothing = Selection(
            positions=np.empty(0, np.int64), class_counts=np.zeros(self._classes, np.int64)
        )
        return [nothing for _ in requests]

    def fingerprint(self) -> int:
        """Return 0."""
        return 0

    def layout(self, kinds: Kinds) -> SampleLayout:
        """Refuse: there is nothing to lay out."""
        raise LookupError(f"no teacher, so no knowledge of {', '.join(kinds)}")

    def records(self, positions: Sequence[int], kinds: Kinds) -> list[bytes]:
        """Return no records."""
        return []

    def class_share(self) -> list[float]:
        """Return zeros."""
        return [0.0] * self._classes
