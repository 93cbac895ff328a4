"""``edgestill validate``: find mistakes before anything is begun."""

import sys

from edgestill.config import dump, load
from edgestill.jobs.commands.common import ConfigPath, Overrides, Quiet, check, memory


def validate(config: ConfigPath, overrides: Overrides = None, quiet: Quiet = False) -> None:
    """Check a configuration and the data that it names, and print it resolved.

    A comment at the end says how much memory a run on this machine would take.
    """
    resolved = load(config, overrides or ())
    check(resolved)
    if not quiet:
        needed = memory(resolved)
        sys.stdout.write(f"{dump(resolved)}# memory: {needed.describe()}\n")
        if (refusal := needed.refusal()) is not None:
            sys.stdout.write(f"# {refusal}\n")
