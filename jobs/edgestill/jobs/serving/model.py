"""The model that a service reads from a folder, and reads again when it was written anew."""

import logging
from pathlib import Path

from edgestill.actors.serving import ShippedModel
from edgestill.errors import EdgestillError
from edgestill.inference.answer import Tier
from edgestill.inference.joint import DESCRIPTION, joint_folder

log = logging.getLogger(__name__)


class WatchedModel:
    """The model of a folder, read anew when its description changes; one that fails is passed over.

    Args:
        folder: of a joint model, or of a run that has one.
        tier: whose half is served.

    Attributes:
        load: builds the newest model that is sound.
        fingerprint: of it, in hexadecimal.

    Raises:
        InputError: there is none, or none for the tier.
    """

    def __init__(self, folder: Path, tier: Tier) -> None:
        self._path = joint_folder(folder) / DESCRIPTION
        self._tier = tier
        self._seen = self._stamp()
        self._renew = False
        self._read()

    def renew(self) -> None:
        """Read the folder at the next look, whether or not it seems changed."""
        self._renew = True

    def changed(self) -> bool:
        """Return whether there is another model to serve."""
        stamp = self._stamp()
        if stamp == self._seen and not self._renew:
            return False
        self._seen, self._renew = stamp, False
        try:
            self._read()
        except EdgestillError as error:
            log.warning("the old model is served on: %s", error)
            return False
        return True

    def _read(self) -> None:
        load = ShippedModel.of(self._path.parent, self._tier)
        self.fingerprint = f"{load().fingerprint:08x}"
        self.load = load

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
