"""A joint model on disk: ``joint.json`` and safetensors, nothing that can run code."""

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from edgestill.codec import FrozenCodec
from edgestill.errors import DataError, InputError
from edgestill.inference.answer import Tier
from edgestill.inference.joint.cloud import Heavier, JointCloud
from edgestill.inference.joint.edge import Edge, JointEdge
from edgestill.inference.joint.family import Family, family_of
from edgestill.inference.joint.model import Gate, JointModel, belongs, calibrated

SCHEMA = "edgestill.joint/1"
DESCRIPTION = "joint.json"

_EDGE, _CODEC = "edge.safetensors", "codec.safetensors"
_SAME_TAIL = "tail."


def save_joint(folder: Path, model: JointModel, facts: Mapping[str, Any]) -> None:
    """Write a model; ``joint.json`` last, as the sign that all is whole.

    Args:
        folder: made if it is not there.
        model: to be written.
        facts: plain values beside the model's own in ``joint.json``, such as its accuracies.

    Raises:
        InputError: the folder cannot be written.
    """
    description = {"schema": SCHEMA, **facts, **_described(model)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_file(_weights(model.edge), folder / _EDGE)
        model.codec.save(folder / _CODEC)
        for tier, network in model.heavier.items():
            save_file(_without_twins(network), folder / f"{tier}.safetensors")
        text = json.dumps(description, indent=1) + "\n"
        (folder / DESCRIPTION).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror})") from error


def load_edge(folder: Path) -> Edge:
    """Read what a device needs of a model: neither the cloud's weights nor any training code.

    Args:
        folder: of the model, or of a run that has one in ``joint/``.

    Raises:
        InputError: no joint model is there (:class:`DataError`: it is damaged).
    """
    opened = _opened(folder)
    family, codec = opened.family, opened.codec
    network = family.edge()
    _take(network, opened.folder / _EDGE)
    if not belongs(codec, network, family):
        raise DataError(f"{opened.folder}: {_EDGE} and {_CODEC} are of different models")
    half = JointEdge(
        inputs=family.inputs,
        network=network,
        task=calibrated(family.task, opened.temperatures.get("edge", 1.0)),
        codec=codec,
        bytes_by_rate=opened.bytes_by_rate,
    )
    gate = opened.gate
    return Edge(
        half=half,
        hardness=gate.hardness,
        threshold=gate.threshold,
        description=opened.description,
    )


def load_cloud(folder: Path, tier: Tier = "cloud") -> JointCloud:
    """Read the half that answers for devices.

    Args:
        folder: of the model, or of a run that has one in ``joint/``.
        tier: ``cloud``, or ``fog`` if the model has one.

    Raises:
        InputError: no joint model is there, or none for that tier (:class:`DataError`: it is
            damaged).
    """
    opened = _opened(folder)
    if tier not in opened.tiers:
        raise InputError(f"{opened.folder}: has no {tier}; it has {', '.join(opened.tiers)}")
    family = opened.family
    network = Heavier(family.cloud() if tier == "cloud" else family.fog(), opened.token_shape)
    _take(network, opened.folder / f"{tier}.safetensors")
    return JointCloud(
        tier=tier,
        inputs=family.inputs,
        token_shape=opened.token_shape,
        codec=opened.codec,
        network=network,
        task=calibrated(family.task, opened.temperatures.get(tier, 1.0)),
        bytes_by_rate=opened.bytes_by_rate,
        doubt=opened.fog_doubt,
    )


def joint_folder(folder: Path) -> Path:
    """Return where a model lies: in the folder itself, or in its ``joint/``.

    Raises:
        InputError: in neither.
    """
    for found in (folder, folder / "joint"):
        if (found / DESCRIPTION).is_file():
            return found
    raise InputError(
        f"{folder}: no {DESCRIPTION} there; give a folder of `edgestill joint`, or a run's after "
        f"`edgestill joint {folder}`"
    )


def _described(model: JointModel) -> dict[str, Any]:
    return {
        "family": model.family.plain(),
        "fingerprint": f"{model.codec.fingerprint:08x}",
        "token_shape": list(model.edge.token_shape),
        "rates": model.codec.sizes.rates,
        "bytes_by_rate": list(model.bytes_by_rate),
        "tiers": list(model.heavier),
        "gate": {"rule": model.gate.rule, "threshold": model.gate.threshold},
        "fog_doubt": model.fog_doubt,
        "temperatures": dict(model.temperatures),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """What ``joint.json`` says, checked, and the codec."""

    folder: Path
    description: Mapping[str, Any]
    family: Family
    codec: FrozenCodec
    gate: Gate
    tiers: tuple[str, ...]
    token_shape: tuple[int, int]
    bytes_by_rate: tuple[int, ...]
    temperatures: Mapping[str, float]
    fog_doubt: float


def _opened(folder: Path) -> _Opened:
    folder = joint_folder(folder)
    path = folder / DESCRIPTION
    codec = FrozenCodec.load(folder / _CODEC)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["schema"] != SCHEMA:
            raise DataError(f"{path}: schema {found['schema']!r}; expected {SCHEMA!r}")
        if found["fingerprint"] != f"{codec.fingerprint:08x}":
            raise DataError(f"{folder}: {_CODEC} is not that of {DESCRIPTION}")
        count, features = found["token_shape"]
        gate = Gate(rule=str(found["gate"]["rule"]), threshold=float(found["gate"]["threshold"]))
        return _Opened(
            folder=folder,
            description=found,
            family=family_of(found["family"]),
            codec=codec,
            gate=gate,
            tiers=tuple(map(str, found["tiers"])),
            token_shape=(int(count), int(features)),
            bytes_by_rate=tuple(map(int, found["bytes_by_rate"])),
            temperatures={tier: float(one) for tier, one in found["temperatures"].items()},
            fog_doubt=float(found["fog_doubt"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise DataError(f"{path}: describes no joint model: {reason}") from error


def _weights(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.contiguous() for name, value in module.state_dict().items()}


def _without_twins(network: Heavier) -> dict[str, Tensor]:
    """Return the weights without those of the tail that are as the network's own."""
    own = network.network.state_dict()
    return {
        name: value
        for name, value in _weights(network).items()
        if not name.startswith(_SAME_TAIL)
        or not torch.equal(value, own[name.removeprefix(_SAME_TAIL)])
    }


def _take(module: nn.Module, path: Path) -> None:
    try:
        weights = load_file(path)
        if isinstance(module, Heavier):
            own = {k: v for k, v in weights.items() if not k.startswith(_SAME_TAIL)}
            missing = module.load_state_dict(own, strict=False).missing_keys
            if any(not name.startswith(_SAME_TAIL) for name in missing):
                raise KeyError(missing[0])
            module.tail = copy.deepcopy(module.network)
            module.load_state_dict({**module.state_dict(), **weights})
        else:
            module.load_state_dict(weights)
    except (OSError, SafetensorError, RuntimeError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{path}: holds no such network: {reason}") from error
    module.eval()
