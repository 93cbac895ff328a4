"""Trains a model that is split between device and server, and writes both halves for each rate."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from edgestill.config import SplitConfig, dump
from edgestill.errors import InputError
from edgestill.inference.split import (
    Asked,
    Backbone,
    DeviceHalf,
    Epochs,
    Merging,
    ServerHalf,
    merged_tokens,
    save_halves,
    train_backbone,
    train_codec,
)
from edgestill.inference.split.encoder import TOKENS
from edgestill.inference.split.scenes import accuracy, part
from edgestill.report import versions_and_hardware

SCHEMA = "edgestill.split/1"
TESTED_SCENES = 1000

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """One codec with its server's half, on the test part.

    Attributes:
        rate_weight: lambda.
        accuracy: of all questions, 0..1.
        own_accuracy: of those about one object.
        relational_accuracy: of those about relations.
        bytes: mean of a scene's frame, header included.
        folder: of the halves, beside the report.
    """

    rate_weight: float
    accuracy: float
    own_accuracy: float
    relational_accuracy: float
    bytes: float
    folder: str


def create_folder(out: Path) -> None:
    """Make the folder of a split model.

    Raises:
        InputError: it is there already and not empty, or cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()):
            raise InputError(f"--out {out}: the folder is not empty; give a new one")
    except OSError as error:
        raise InputError(f"--out {out}: cannot be made ({error.strerror})") from error


def train_split(config: SplitConfig, out: Path, told: Told) -> dict[str, Any]:
    """Train, write ``config.yaml``, ``split.json`` and ``rate-N/``, and return the report.

    Args:
        config: what is trained.
        out: an empty folder.
        told: is given a line when a stage begins.
    """
    torch.set_num_threads(1)
    (out / "config.yaml").write_text(dump(config), encoding="utf-8")
    merging = _merging(config)
    told(f"encoder and answers on {config.scenes} scenes")
    public = part("public", config.scenes)
    backbone = train_backbone(public, merging, _epochs(config), seed=config.seed)
    asked = public.asked(merged_tokens(backbone.encoder, merging, public.pictures))
    rates = []
    for number, weight in enumerate(config.codec.rate_weights):
        told(f"codec and server for lambda {weight:g}")
        device, server = _halves(config, backbone, merging, asked, weight)
        save_halves(out / f"rate-{number}", device, server)
        rates.append(_scored(device, server, weight, f"rate-{number}"))
    report = {
        "schema": SCHEMA,
        **versions_and_hardware(),
        "name": config.name,
        "seed": config.seed,
        "uncoded": _uncoded(backbone, merging),
        "rates": [asdict(rate) for rate in rates],
    }
    (out / "split.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return report


def _merging(config: SplitConfig) -> Merging:
    method = config.codec.merging
    return Merging(method=method, count=TOKENS if method == "none" else config.codec.tokens)


def _epochs(config: SplitConfig) -> Epochs:
    return Epochs(
        scenes=config.scene_epochs, answers=config.answer_epochs, joint=config.joint_epochs
    )


def _uncoded(backbone: Backbone, merging: Merging) -> dict[str, float]:
    test = part("test", TESTED_SCENES)
    tokens = merged_tokens(backbone.encoder, merging, test.pictures)
    found = accuracy(backbone.head, test.asked(tokens))
    return {"accuracy": found.every, "bytes": 4.0 * tokens[0].numel()}


def _halves(
    config: SplitConfig, backbone: Backbone, merging: Merging, asked: Asked, weight: float
) -> tuple[DeviceHalf, ServerHalf]:
    """Train one codec with its server's half."""
    codec, head = train_codec(
        backbone.head,
        asked,
        experts=config.codec.experts,
        rate_weight=weight,
        epochs=config.codec_epochs,
        seed=config.seed,
    )
    frozen = codec.freeze()
    pictures = part("test", TESTED_SCENES).pictures
    device = DeviceHalf(
        encoder=backbone.encoder,
        merging=merging,
        codec=frozen,
        scale=pictures.scale,
        offset=pictures.offset,
    )
    return device, ServerHalf(codec=frozen, head=head)


def _scored(device: DeviceHalf, server: ServerHalf, weight: float, folder: str) -> Rate:
    """Score both halves by real frames of the test part."""
    test = part("test", TESTED_SCENES)
    frames = [device.frame(pixels) for pixels in test.pictures.pixels]
    decoded = torch.stack([torch.from_numpy(server.codec.decode(frame)) for frame in frames])
    found = accuracy(server.head, test.asked(decoded))
    return Rate(
        rate_weight=weight,
        accuracy=found.every,
        own_accuracy=found.own,
        relational_accuracy=found.relational,
        bytes=sum(map(len, frames)) / len(frames),
        folder=folder,
    )
