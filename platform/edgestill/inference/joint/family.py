"""What a joint model is made of, told in plain values, so that every process builds the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

from torch import Tensor

from edgestill.errors import DataError
from edgestill.inference.joint.classification import Classification
from edgestill.inference.joint.inputs import Input, Specs, picture_input
from edgestill.inference.joint.networks import CloudNetwork, EdgeNetwork
from edgestill.inference.joint.pictures import CLOUD_WIDTH, FOG_WIDTH, PictureCloud, PictureEdge
from edgestill.inference.joint.task import Task


class Family(Protocol):
    """Builds the untrained networks and the task of one kind of joint model."""

    @property
    def inputs(self) -> Specs:
        """What a device takes in, by kind."""
        ...

    @property
    def task(self) -> Task[Tensor]:
        """The task, its probabilities not calibrated."""
        ...

    def plain(self) -> dict[str, Any]:
        """Return what :func:`family_of` makes the same family of; values that JSON has."""
        ...

    def edge(self) -> EdgeNetwork:
        """Return a device's network."""
        ...

    def cloud(self) -> CloudNetwork:
        """Return the cloud's network."""
        ...

    def fog(self) -> CloudNetwork:
        """Return a fog's network, of medium size."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OfPictures:
    """What families share that take in one picture of kind ``visual``.

    Attributes:
        picture: what is taken in.
        classes: K.
    """

    KIND: ClassVar[str]
    picture: Input
    classes: int

    @property
    def inputs(self) -> Specs:
        """Pictures."""
        return {"visual": self.picture}

    def plain(self) -> dict[str, Any]:
        """Return the family as values that JSON has."""
        return {"kind": self.KIND, "picture": self.picture.plain(), "classes": self.classes}

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Return the family that :meth:`plain` wrote."""
        return cls(picture=picture_input(values["picture"]), classes=int(values["classes"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureFamily(OfPictures):
    """Classification of small pictures."""

    KIND: ClassVar[str] = "pictures"

    @property
    def task(self) -> Classification:
        """One of K classes."""
        return Classification(classes=self.classes)

    def edge(self) -> PictureEdge:
        """Return a plain network of some twenty thousand parameters."""
        return PictureEdge(self._shape, self.classes)

    def cloud(self) -> PictureCloud:
        """Return a residual network of some 330 thousand parameters."""
        return PictureCloud(self._shape, self.classes, CLOUD_WIDTH)

    def fog(self) -> PictureCloud:
        """Return a residual network of half the width."""
        return PictureCloud(self._shape, self.classes, FOG_WIDTH)

    @property
    def _shape(self) -> tuple[int, int, int]:
        channels, height, width = self.picture.shape
        return channels, height, width


def family_of(values: Mapping[str, Any]) -> Family:
    """Return the family whose :meth:`Family.plain` these values are.

    Raises:
        DataError: they are no family's.
    """
    # The others build on this module.
    from edgestill.inference.joint.fleet import FleetFamily
    from edgestill.inference.joint.scenes import SceneFamily

    kinds = {one.KIND: one for one in (PictureFamily, SceneFamily, FleetFamily)}
    try:
        return kinds[values["kind"]].of(values)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"family: {type(error).__name__}: {error}") from error
