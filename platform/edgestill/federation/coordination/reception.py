"""Devices are greeted before they are first asked, and what they say of themselves is noted."""

from flwr.serverapp import Grid

from edgestill.federation.coordination.exports import export_hello
from edgestill.federation.coordination.surroundings import Surroundings
from edgestill.federation.roster.hello import NOBODY, Greeter, Heard
from edgestill.federation.roster.members import Devices, Members
from edgestill.fleet import Fleet


class Reception:
    """Greets devices, counts what hellos took on the links, and takes real devices' readings.

    Attributes:
        unanswered: the last greeting that a device did not answer, since it was forgotten.
    """

    def __init__(
        self, grid: Grid, surroundings: Surroundings, members: Members, fleet: Fleet
    ) -> None:
        world = surroundings.world
        self._store, self._members, self._fleet = surroundings.store, members, fleet
        self._greeter = Greeter(
            grid=grid,
            members=members,
            projection=surroundings.source.projection(),
            fingerprint=world.fingerprint,
            timeout_s=world.config.federation.timeout_s,
        )
        self.unanswered = NOBODY

    def forget(self) -> None:
        """Forget who did not answer."""
        self.unanswered = NOBODY

    def meet(self) -> None:
        """Ask the nodes of a grid that is not ours which devices they are."""
        self._introduce(self._greeter.meet())

    def greet(self, devices: Devices) -> None:
        """Ask those of some devices who have not said hello."""
        heard = self._greeter.greet(devices)
        if heard.reason:
            self.unanswered = heard
        self._introduce(heard)

    def _introduce(self, heard: Heard) -> None:
        size_bytes = len(self._greeter.projection)
        export_hello(self._store, self._fleet, self._members, heard.devices, size_bytes)
        for device in heard.devices.tolist():
            if (vitals := self._members.vitals_of(device)) is not None:
                self._fleet.report(device, vitals)
