"""How the devices of a round are chosen by what they are worth: Oort's parameters."""

from pydantic import Field

from edgestill.config.section import Positive, Ratio, Section


class UtilityConfig(Section):
    """Oort's participant selection (Lai et al., OSDI 2021, algorithm 1); its authors' settings.

    ``exploration`` is the share of a round that goes to devices never seen before; after each round
    it is multiplied by ``exploration_decay`` until it is ``least_exploration``. A device that takes
    D seconds where T are preferred is worth (T / D)^``straggler_penalty`` of its utility. The pacer
    looks back over ``pacer_rounds`` rounds, and again as many before, to see whether T must grow.
    Whoever took part more than ``most_participations`` times is no longer sought out.
    """

    exploration: Ratio = 0.9
    exploration_decay: Positive = Field(default=0.98, le=1.0)
    least_exploration: Ratio = 0.2
    straggler_penalty: float = Field(default=2.0, ge=0.0)
    pacer_rounds: int = Field(default=20, ge=1)
    most_participations: int = Field(default=10, ge=1)
