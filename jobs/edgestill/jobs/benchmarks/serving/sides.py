"""The sides as the referee sees them: started together, each at a port and a path."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from edgestill.jobs.benchmarks.processes import descendants
from edgestill.jobs.benchmarks.serving.amount import OURS, PATH, RAY_SERVE_PATHS, SIDES
from edgestill.jobs.benchmarks.serving.child import Child, ChildError

HOST = "127.0.0.1"
START_WITHIN_S = 240.0
_REPLICA = "ray::Replica"
"""How Ray titles ours."""

_HOSTS = "edgestill.jobs.benchmarks.serving.hosts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One way of serving the model.

    Attributes:
        name: of :data:`.amount.SIDES`.
        host: the process that serves.
        port: that it listens on.
        path: that it answers at.
    """

    name: str
    host: Child
    port: int
    path: str

    def replica_pid(self) -> int:
        """Return the process of ours that computes; 0 while there is none."""
        for process in descendants(self.host.pid):
            with suppress(psutil.Error):
                if " ".join(process.cmdline()).startswith(_REPLICA):
                    return process.pid
        return 0

    def is_ready(self) -> bool:
        """Return whether ours says that it takes requests."""
        try:
            url = f"http://{HOST}:{self.port}/health/ready"
            return httpx.get(url, timeout=1.0, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def cpu_s(self) -> float:
        """Return the CPU time of all processes of the host so far; those that ended are missing."""
        spent = 0.0
        for process in descendants(self.host.pid):
            try:
                times = process.cpu_times()
            except psutil.Error:
                continue
            spent += times.user + times.system
        own = psutil.Process(self.host.pid).cpu_times()
        return spent + own.user + own.system


@contextmanager
def serving_sides(
    folder: Path, names: Sequence[str] = SIDES
) -> Iterator[tuple[Mapping[str, Side], Mapping[str, str]]]:
    """Start sides; give those that serve by name, and why others do not.

    Raises:
        ChildError: ours does not start.
    """
    with ExitStack() as stack:
        hosts: dict[str, Child] = {}
        for name in dict.fromkeys(map(_host_of, names)):
            hosts[name] = Child(
                name,
                _HOSTS,
                name,
                str(folder),
                folder=folder,
                # Ours tells Prometheus servers where it is; not this one.
                environment={"XDG_STATE_HOME": str(folder)},
            )
            stack.callback(hosts[name].close)
        sides: dict[str, Side] = {}
        reasons: dict[str, str] = {}
        for name, host in hosts.items():
            own = [side for side in names if _host_of(side) == name]
            try:
                said = host.hear(START_WITHIN_S)
            except ChildError as error:
                if name == OURS:
                    raise
                reasons.update(dict.fromkeys(own, str(error)))
                continue
            for side in own:
                path = RAY_SERVE_PATHS.get(side, PATH)
                sides[side] = Side(name=side, host=host, path=path, **said)
        yield {name: sides[name] for name in names if name in sides}, reasons


def _host_of(side: str) -> str:
    return "ray_serve" if side in RAY_SERVE_PATHS else side
