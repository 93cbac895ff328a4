"""What several commands share: their arguments, and the check of a configuration."""

import logging
import signal
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from edgestill.config import RunConfig
from edgestill.errors import ConfigurationError

if TYPE_CHECKING:
    from edgestill.federation import Footprint

TABLE_COLUMNS = 100

ConfigPath = Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML configuration.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a dotted key; repeatable."),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print warnings and the result only.")]


def check(config: RunConfig) -> None:
    """Find what is wrong with a configuration or its data before anything is begun."""
    from edgestill.allocation import check_expressions, prometheus_server
    from edgestill.federation import make_strategy, world_of

    logging.getLogger("flwr").setLevel(logging.ERROR)
    check_expressions(config.allocation.signals)
    prometheus_server(config.allocation)
    make_strategy(config.federation)
    world_of(config)


def memory(config: RunConfig) -> "Footprint":
    """Return what memory a run on this machine will take, and what is free."""
    from edgestill.federation import estimate_footprint, world_of
    from edgestill.fleet import free_memory_bytes

    return estimate_footprint(world_of(config), free_bytes=free_memory_bytes())


def check_memory(config: RunConfig) -> None:
    """Refuse a run that this machine has not enough memory for.

    Raises:
        ConfigurationError: naming the setting that would make it fit.
    """
    if (refusal := memory(config).refusal()) is not None:
        raise ConfigurationError(refusal)


def stop_by_interrupt() -> None:
    """Let SIGTERM, by which clusters stop jobs, end a run as Ctrl-C does.

    SIGINT is taken too: a shell starts what it puts in the background with that signal ignored.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
