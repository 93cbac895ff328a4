"""What the allocator has learned in a run: of each group, and of what levels bring.

Gain. The worth of a device's update is Oort's statistical utility |B| sqrt(mean loss^2) (Lai et
al., OSDI 2021, eq. 2; with the mean loss that devices report), times the fidelity of what the
device is allowed: of its level, its epochs and its bits. A level's fidelity begins at what
:func:`edgestill.allocation.worth.level_fidelity` states and is learned by ridge regression of the
global model's relative change of loss from round to round (on validation data) on the shares of the
utility that came from each level.

Shape letters: l levels, k budgets (uplink bytes, energy).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from edgestill.allocation.forecast import Floats
from edgestill.allocation.group_model import GroupModel, Observed
from edgestill.allocation.levels import Level
from edgestill.errors import CheckpointError

PRIOR_ROUNDS = 8.0
"""What the stated fidelities of levels count, in rounds."""

LEVEL_FORGETTING = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Experience:
    """All that was learned in a run.

    Attributes:
        groups: by name; a group without a model is as its profile says.
        fidelity_normal: [L, L] discounted squares of the levels' shares.
        fidelity_moment: [L] their products with what came of them.
        pace: the relative fall of the loss that a whole fleet at high brings, None at first.
        loss: of the global model on validation data after the last round.
        saved_k: uplink bytes and joules left of the budgets so far; negative if exceeded.
    """

    groups: Mapping[str, GroupModel]
    fidelity_normal: Floats
    fidelity_moment: Floats
    pace: float | None = None
    loss: float | None = None
    saved_k: Floats = field(default_factory=lambda: np.zeros(2))

    @classmethod
    def first(cls) -> "Experience":
        """Return what is known before the first round."""
        levels = len(Level)
        return cls(
            groups={},
            fidelity_normal=np.zeros((levels, levels)),
            fidelity_moment=np.zeros(levels),
        )

    def group(self, name: str) -> GroupModel:
        """Return a group's model."""
        return self.groups.get(name) or GroupModel.first()

    def fidelity(self, prior_l: Floats) -> Floats:
        """Return what an update of each level is worth [L]; a better level never less."""
        ridge = np.eye(len(prior_l)) * PRIOR_ROUNDS / len(prior_l)
        solved = np.linalg.solve(
            self.fidelity_normal + ridge, self.fidelity_moment + ridge @ prior_l
        )
        worth: Floats = np.maximum.accumulate(solved.clip(0.01, None)[::-1])[::-1]
        return worth

    def after(
        self, observed: Mapping[str, Observed], loss: float, prior_l: Floats, saved_k: Floats
    ) -> "Experience":
        """Return the experience after one more round.

        Args:
            observed: by group.
            loss: of the global model on validation data after the round.
            prior_l: what an update of each level is taken to be worth.
            saved_k: what the round left of its budgets.
        """
        groups = {**self.groups}
        for name, seen in observed.items():
            groups[name] = self.group(name).after(seen)
        known = replace(self, groups=groups, loss=loss, saved_k=self.saved_k + saved_k)
        utility = sum(seen.utility for seen in observed.values())
        if self.loss is None or utility <= 0 or loss <= 0:
            return known
        share_l = np.sum([seen.worth_l for seen in observed.values()], axis=0) / utility
        foretold = float(share_l @ self.fidelity(prior_l))
        if foretold <= 0:
            return known
        rate = math.log(self.loss / loss) / foretold
        pace = rate if self.pace is None else 0.5 * (self.pace + rate)
        # The loss may rise by chance, and near its floor all levels bring next to nothing.
        surprise = min(max(rate / pace, 0.0), 2.0) if pace > 0 else 1.0
        return replace(
            known,
            pace=pace,
            fidelity_normal=LEVEL_FORGETTING * self.fidelity_normal + np.outer(share_l, share_l),
            fidelity_moment=LEVEL_FORGETTING * self.fidelity_moment
            + share_l * (foretold * surprise),
        )

    def to_plain(self) -> dict[str, Any]:
        """Return plain values, as JSON can hold them, for a checkpoint."""
        return {
            "groups": {name: model.to_plain() for name, model in self.groups.items()},
            "fidelity_normal": self.fidelity_normal.tolist(),
            "fidelity_moment": self.fidelity_moment.tolist(),
            "pace": self.pace,
            "loss": self.loss,
            "saved": self.saved_k.tolist(),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Experience":
        """Return the experience that :meth:`to_plain` wrote.

        Raises:
            CheckpointError: a value is missing or of another type.
        """
        levels = len(Level)
        try:
            return cls(
                groups={str(n): GroupModel.from_plain(m) for n, m in plain["groups"].items()},
                fidelity_normal=np.array(plain["fidelity_normal"], float).reshape(levels, levels),
                fidelity_moment=np.array(plain["fidelity_moment"], float).reshape(levels),
                pace=None if plain["pace"] is None else float(plain["pace"]),
                loss=None if plain["loss"] is None else float(plain["loss"]),
                saved_k=np.array(plain["saved"], float).reshape(2),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CheckpointError(
                f"allocator's experience: {type(error).__name__}: {error}"
            ) from error
