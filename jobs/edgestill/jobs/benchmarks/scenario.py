"""What allocators contend over in `bench allocator`: devices, load, links, an energy budget."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from edgestill.allocation import Level
from edgestill.config import RunConfig, resolve

STATIC = tuple(f"static-{level.value}" for level in Level)
NAMES = (*STATIC, "random", "threshold", "priority", "predictive")
BUDGETED = ("priority", "predictive")
KEPT_RATIO = 0.97
"""What is not kept back for forecasts that fall short."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What every contestant has to deal with.

    Attributes:
        energy_j: of the whole fleet in the whole run, above idle.
        deadline_s: virtual, of each round; rounds start every ``interval_s``.
        load: lowest and highest CPU load by others, 0..1; a wave of ``wave_rounds`` rounds.
    """

    devices: int
    rounds: int
    energy_j: float
    seeds: tuple[int, ...]
    deadline_s: float = 0.5
    interval_s: float = 60.0
    load: tuple[float, float] = (0.1, 0.6)
    wave_rounds: int = 8
    samples_per_round: int = 32
    teacher_epochs: int = 40

    def to_plain(self) -> dict[str, Any]:
        """Return plain values, with the groups as they are configured."""
        plain = asdict(self)
        plain["groups"] = self.groups()
        return plain

    def groups(self) -> list[dict[str, Any]]:
        """Return the fleet: weak and strong devices, loads a quarter of a wave apart."""
        wide, narrow = {"low": 0.3, "high": 1.0}, {"low": 0.15, "high": 1.0}
        link = {"kind": "walk", "step_s": 2 * self.interval_s}
        return [
            self._group("phones", "phone", 2, 0.0) | {"link": link | narrow},
            self._group("boards", "single_board_computer", 1, 0.25),
            self._group("cameras", "camera_gateway", 1, 0.5),
            self._group("wearables", "wearable", 2, 0.75) | {"link": link | wide},
        ]

    def config(self, name: str, seed: int) -> RunConfig:
        """Return the configuration of a contestant; they differ in the policy alone."""
        allocation: dict[str, Any] = {"policy": name}
        if name in STATIC:
            allocation = {"policy": "static", "level": name.removeprefix("static-")}
        elif name == "random":
            allocation = {"policy": "static"}
        elif name in BUDGETED:
            allocation["budget"] = {"energy_j": KEPT_RATIO * self.energy_j / self.rounds}
        return resolve(
            {
                "name": name,
                "seed": seed,
                "teacher": {"epochs": self.teacher_epochs},
                "knowledge": {"samples_per_round": self.samples_per_round},
                "fleet": {"devices": self.devices, "groups": self.groups()},
                "federation": {
                    "rounds": self.rounds,
                    "deadline_s": self.deadline_s,
                    "interval_s": self.interval_s,
                },
                "allocation": allocation,
            }
        )

    def _group(self, name: str, profile: str, share: float, phase: float) -> dict[str, Any]:
        low, high = self.load
        steps = [
            [
                index * self.interval_s,
                low
                + (high - low)
                * (0.5 - 0.5 * math.cos(math.tau * (index / self.wave_rounds + phase))),
            ]
            for index in range(self.rounds + 1)
        ]
        load = {"kind": "steps", "steps": steps}
        return {"name": name, "profile": profile, "share": share, "load": load}
