"""The command line of a build script."""

import argparse
from collections.abc import Callable
from pathlib import Path


def run_build(build: Callable[[Path], str], about: str) -> None:
    """Read ``--out FILE``, write the artefact there, and print its SHA-256, path and length.

    Args:
        build: writes an artefact and returns its SHA-256.
        about: the script's docstring, of which ``--help`` shows the first line.
    """
    parser = argparse.ArgumentParser(description=about.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="the zip to write")
    out: Path = parser.parse_args().out
    print(f"{build(out)}  {out}  {out.stat().st_size} bytes")
