"""Joint inference on a device: each input answered here, by a fog or by the cloud."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgestill.errors import InputError
from edgestill.fleet import HostVitals
from edgestill.inference.client import CloudClient, EdgeClient, Inputs, JointAnswer
from edgestill.inference.joint import Edge, load_edge
from edgestill.inference.tiers import Limits, RatePolicy, VitalsLimits, largest, sufficient
from edgestill.jobs.serving.inputs import inputs_of

WRONG = frozenset({"refused", "untrusted"})
"""Why nobody answered where what the user gave is wrong: the token, the model, the certificates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Whom a device may ask, and how.

    Attributes:
        cloud, fog: their addresses; None is nobody.
        token: shown to both.
        ca: file of the certificates to trust instead of the system's.
        deadline_s: from an input to its answer.
    """

    cloud: str | None
    fog: str | None
    token: str | None
    ca: Path | None
    deadline_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One input's answer, or why its file has none.

    Attributes:
        name: of the file, with the input's place where there are several.
        found: the answer.
        error: one line.
    """

    name: str
    found: JointAnswer | None = None
    error: str | None = None

    def plain(self) -> dict[str, Any]:
        """Return values that JSON has."""
        if self.found is None:
            return {"file": self.name, "error": self.error}
        values = asdict(self.found)
        return {"file": self.name, **values, "answer": self.found.answer.plain()}


def policy_of(edge: Edge) -> RatePolicy:
    """Return what a model's own figures say of its rates, as `edgestill joint` writes them.

    The lowest rate that keeps what was wanted of the cloud's score on validation samples; without
    figures the highest that arrives in time.
    """
    try:
        ways = edge.description["ways"]["cloud"]["validation"]
        scores = [float(way["score"]) for way in ways[1:]]
        kept = float(edge.description["kept"])
    except (KeyError, TypeError, ValueError):
        return largest
    return sufficient(scores, kept) if len(scores) == len(edge.half.bytes_by_rate) else largest


class Device:
    """A device that answers files; use as a context.

    Args:
        run_dir: a folder of a joint model, or of a run that has one.
        asked: whom it may ask.

    Raises:
        InputError: there is no model, or an address or the certificates are no such.
    """

    def __init__(self, run_dir: Path, asked: Asked) -> None:
        torch.set_num_threads(1)
        self.edge: Edge = load_edge(run_dir)
        half = self.edge.half
        self._upstreams: list[CloudClient] = []
        self._limits = VitalsLimits(len(half.bytes_by_rate), HostVitals().read)
        fog, cloud = self._client(asked.fog, asked), self._client(asked.cloud, asked)
        self._client_of_all = EdgeClient(
            half,
            hardness=self.edge.hardness,
            threshold=self.edge.threshold,
            cloud=cloud,
            fog=fog,
            deadline_s=asked.deadline_s,
            policy=policy_of(self.edge),
            limits=self._limits,
        )
        # A network's first call takes many times as long as those after it.
        half.look({kind: np.zeros(one.shape, one.dtype) for kind, one in half.inputs.items()})

    def __enter__(self) -> "Device":
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        for one in self._upstreams:
            one.close()

    @property
    def limits(self) -> Limits:
        """What it may send now."""
        return self._limits()

    def answers(self, files: Iterable[Path]) -> Iterator[Row]:
        """Yield the answers to the inputs in files, in order; a bad file is a row and no more."""
        names: deque[Row] = deque()
        for found in self._client_of_all.answers(self._inputs(files, names)):
            while names[0].error is not None:
                yield names.popleft()
            yield Row(name=names.popleft().name, found=found)
        yield from names

    def _inputs(self, files: Iterable[Path], names: deque[Row]) -> Iterator[Inputs]:
        for path in files:
            try:
                for name, inputs in inputs_of(path, self.edge.half.inputs):
                    names.append(Row(name=name))
                    yield inputs
            except InputError as error:
                names.append(Row(name=path.name, error=str(error)))

    def _client(self, url: str | None, asked: Asked) -> CloudClient | None:
        if url is None:
            return None
        ca_file = None if asked.ca is None else str(asked.ca)
        client = CloudClient(url, token=asked.token, ca_file=ca_file)
        self._upstreams.append(client)
        return client
