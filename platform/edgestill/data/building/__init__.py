"""What the build scripts of the bundled data sets share. Reading the data needs none of it."""

from edgestill.data.building.artefact import (
    checksum_line,
    modality_entries,
    write_artefact,
    yaml_bytes,
)
from edgestill.data.building.command import run_build
from edgestill.data.building.espeak import find_program, speak, version

__all__ = [
    "checksum_line",
    "find_program",
    "modality_entries",
    "run_build",
    "speak",
    "version",
    "write_artefact",
    "yaml_bytes",
]
