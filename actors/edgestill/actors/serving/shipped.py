"""A joint model on its way to the replicas: the files' bytes, since nodes may share no disk."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgestill.errors import DataError
from edgestill.inference.answer import Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippedModel:
    """What a folder held when it was read; a :data:`edgestill.actors.serving.Load`.

    All replicas serve the same model, also those that start while the folder is written anew.

    Attributes:
        tier: whose half is served.
        files: name to content.
    """

    tier: Tier
    files: dict[str, bytes] = field(repr=False)

    @classmethod
    def of(cls, folder: Path, tier: Tier) -> "ShippedModel":
        """Read a folder.

        Raises:
            InputError: no joint model is there (:class:`DataError`: a file cannot be read).
        """
        from edgestill.inference.joint import DESCRIPTION, joint_folder  # torch takes seconds

        folder = joint_folder(folder)
        wanted = (DESCRIPTION, "codec.safetensors", f"{tier}.safetensors")
        paths = [folder / name for name in wanted if (folder / name).is_file()]
        try:
            return cls(tier=tier, files={path.name: path.read_bytes() for path in paths})
        except OSError as error:
            raise DataError(f"{folder}: cannot be read ({error.strerror})") from error

    def __call__(self) -> Any:
        """Return the model.

        Raises:
            InputError: it has no such tier (:class:`DataError`: it is damaged).
        """
        from edgestill.inference.joint import load_cloud

        with tempfile.TemporaryDirectory(prefix="edgestill-") as name:
            for file, content in self.files.items():
                (Path(name) / file).write_bytes(content)
            return load_cloud(Path(name), self.tier)
