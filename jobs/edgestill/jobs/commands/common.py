"""What several commands share: their arguments, and the check of a configuration."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from edgestill.config import RunConfig

TABLE_COLUMNS = 100

ConfigPath = Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML configuration.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a dotted key; repeatable."),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print warnings and the result only.")]


def check(config: RunConfig) -> None:
    """Find what is wrong with a configuration or its data before anything is begun."""
    from edgestill.federation import make_strategy, world_of

    logging.getLogger("flwr").setLevel(logging.ERROR)
    make_strategy(config.federation)
    world_of(config)
