"""``edgestill data``: describe a dataset and how it is dealt."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from edgestill.config import RunConfig, load
from edgestill.jobs.commands.common import Overrides


def data(
    config: Annotated[
        Path | None, typer.Argument(metavar="CONFIG", help="A configuration; av_digits if none.")
    ] = None,
    overrides: Overrides = None,
) -> None:
    """Describe a dataset and how it is dealt to devices, as JSON."""
    from edgestill.config import resolve
    from edgestill.data import describe
    from edgestill.federation import World

    resolved: RunConfig = (
        resolve({}, overrides or ()) if config is None else load(config, overrides or ())
    )
    world = World.build(resolved)
    counts = sorted(map(world.owned.size_of, range(len(world.owned))))
    dealt = {
        "devices": len(counts),
        "without_data": counts.count(0),
        "fewest": counts[0],
        "median": counts[len(counts) // 2],
        "most": counts[-1],
    }
    text = json.dumps({**describe(world.dataset), "partition": dealt}, indent=2)
    sys.stdout.write(text + "\n")
