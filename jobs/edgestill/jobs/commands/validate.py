"""``edgestill validate``: find mistakes before anything is begun."""

import sys

from edgestill.config import dump, load
from edgestill.jobs.commands.common import ConfigPath, Overrides, Quiet, check


def validate(config: ConfigPath, overrides: Overrides = None, quiet: Quiet = False) -> None:
    """Check a configuration and the data that it names, and print it resolved."""
    resolved = load(config, overrides or ())
    check(resolved)
    if not quiet:
        sys.stdout.write(dump(resolved))
