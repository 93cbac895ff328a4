"""What the build scripts of the bundled data sets share. Reading the data needs none of it."""

from edgestill.data.building.artefact import modality_entries, write_artefact
from edgestill.data.building.espeak import find_program, speak, version

__all__ = [
    "find_program",
    "modality_entries",
    "speak",
    "version",
    "write_artefact",
]
