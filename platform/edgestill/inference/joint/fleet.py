"""A run of the fleet as a family of joint models: its student and its teacher.

Letters: B inputs, M kinds of input, D features of a kind.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from edgestill.errors import ConfigurationError
from edgestill.inference.joint.classification import Classification
from edgestill.inference.joint.inputs import Input, Specs
from edgestill.inference.joint.networks import CloudNetwork, EdgeNetwork
from edgestill.models import LateFusion, load_factory, reduce_resolution

_HIDDEN = 128


class StudentEdge(EdgeNetwork):
    """A student; its tokens are the features of each kind.

    Args:
        student: of late fusion.
        shares: kind to the share of its resolution that the student sees.
        features: D.
    """

    def __init__(self, student: LateFusion, shares: Mapping[str, float], features: int) -> None:
        super().__init__()
        self.student = student
        self._shares = dict(shares)
        self.token_shape = (len(self._shares), features)

    def tokens(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return [B, M, D]."""
        return _features(self.student, reduce_resolution(inputs, self._shares))

    def answer(self, tokens: Tensor) -> Tensor:
        """Return logits [B, K]."""
        return _fused(self.student, tuple(self._shares), tokens)


class TeacherCloud(CloudNetwork):
    """A teacher; its features are those of each kind, [B, M, D].

    Args:
        teacher: of late fusion.
        kinds: that devices take in.
        features: D.
    """

    def __init__(self, teacher: LateFusion, kinds: tuple[str, ...], features: int) -> None:
        super().__init__()
        self.teacher = teacher
        self._kinds, self._features = kinds, features

    def features(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return [B, M, D]."""
        return _features(self.teacher, {kind: inputs[kind] for kind in self._kinds})

    def answer(self, features: Tensor) -> Tensor:
        """Return logits [B, K]."""
        return _fused(self.teacher, self._kinds, features)

    def adapter(self, token_shape: tuple[int, int]) -> nn.Module:
        """Return an untrained perceptron from a student's features to a teacher's."""
        count, features = token_shape
        return nn.Sequential(
            nn.Flatten(),
            nn.Linear(count * features, _HIDDEN),
            nn.LayerNorm(_HIDDEN),
            nn.GELU(),
            nn.Linear(_HIDDEN, len(self._kinds) * self._features),
            nn.Unflatten(1, (len(self._kinds), self._features)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetFamily:
    """Classification by a run's student and teacher.

    Attributes:
        modalities: what devices of the level take in, by kind.
        every_shape: shapes of all kinds of the run, which its models are built for.
        shares: of each kind's resolution that the student sees.
        width: of the student, in (0, 1].
        classes: K.
        student, teacher: their factories, ``package.module:attribute``.
    """

    KIND: ClassVar[str] = "fleet"
    modalities: Specs
    every_shape: Mapping[str, tuple[int, ...]]
    shares: Mapping[str, float]
    width: float
    classes: int
    student: str
    teacher: str

    @property
    def inputs(self) -> Specs:
        """What devices of the level take in."""
        return self.modalities

    @property
    def task(self) -> Classification:
        """One of K classes."""
        return Classification(classes=self.classes)

    def plain(self) -> dict[str, Any]:
        """Return the family as values that JSON has."""
        return {
            "kind": self.KIND,
            "modalities": {kind: spec.plain() for kind, spec in self.modalities.items()},
            "every_shape": {kind: list(shape) for kind, shape in self.every_shape.items()},
            "shares": dict(self.shares),
            "width": self.width,
            "classes": self.classes,
            "student": self.student,
            "teacher": self.teacher,
        }

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Return the family that :meth:`plain` wrote."""
        return cls(
            modalities={kind: Input.of(spec) for kind, spec in values["modalities"].items()},
            every_shape={kind: tuple(shape) for kind, shape in values["every_shape"].items()},
            shares={kind: float(share) for kind, share in values["shares"].items()},
            width=float(values["width"]),
            classes=int(values["classes"]),
            student=str(values["student"]),
            teacher=str(values["teacher"]),
        )

    def edge(self) -> StudentEdge:
        """Return the student.

        Raises:
            ConfigurationError: its factory cannot be loaded, or gives no late fusion.
        """
        student = self._built(self.student, self.width, key="student.factory")
        return StudentEdge(student, self.shares, student.classifier.in_features)

    def cloud(self) -> TeacherCloud:
        """Return the teacher.

        Raises:
            ConfigurationError: its factory cannot be loaded, or gives no late fusion.
        """
        teacher = self._built(self.teacher, 1.0, key="teacher.factory")
        return TeacherCloud(teacher, tuple(self.modalities), teacher.classifier.in_features)

    def fog(self) -> TeacherCloud:
        """Refuse: a run has no model between student and teacher.

        Raises:
            ConfigurationError: always.
        """
        raise ConfigurationError("fog: a run of the fleet has no model for it")

    def _built(self, factory: str, width: float, *, key: str) -> LateFusion:
        with torch.random.fork_rng(devices=[]):
            module = load_factory(factory, key=key)(self.every_shape, self.classes, width=width)
        if not isinstance(module, LateFusion):
            raise ConfigurationError(
                f"{key}: {factory} gives a {type(module).__name__}; joint inference answers from "
                "the features of each modality, which it knows of edgestill.models:LateFusion only"
            )
        return module


def _features(model: LateFusion, inputs: Mapping[str, Tensor]) -> Tensor:
    return torch.stack([model.encoders[kind](values) for kind, values in inputs.items()], dim=1)


def _fused(model: LateFusion, kinds: tuple[str, ...], features_BMD: Tensor) -> Tensor:  # noqa: N803
    gates = torch.stack([torch.sigmoid(model.gates[kind]) for kind in kinds])
    logits: Tensor = model.classifier((gates.unsqueeze(-1) * features_BMD).sum(dim=1))
    return logits
