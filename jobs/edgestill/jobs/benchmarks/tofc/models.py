"""One seed's model before any codec, trained once and kept in a folder for all that use it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from edgestill.inference.split import (
    AnswerHead,
    Asked,
    Epochs,
    Merging,
    SceneHead,
    TokenEncoder,
    merged_tokens,
    train_backbone,
)
from edgestill.inference.split.scenes import Part, accuracy, part
from edgestill.jobs.benchmarks.tofc.plan import COUNT, Amount, ImageCoding

MERGING = Merging(count=COUNT)
_EVERY = Merging(method="none", count=144)
_CHUNK = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """How a model answers without any codec, on the test part, 0..1."""

    seed: int
    accuracy: float
    own_accuracy: float
    relational_accuracy: float


def train(seed: int, amount: Amount, folder: Path) -> Trained:
    """Train a seed's encoder and head, and keep them and the tokens of all parts."""
    torch.set_num_threads(1)
    epochs = Epochs(
        scenes=amount.scene_epochs, answers=amount.answer_epochs, joint=amount.joint_epochs
    )
    made = train_backbone(part("public", amount.scenes), MERGING, epochs, seed=seed)
    _save(folder / f"model{seed}.pt", made.encoder, made.head, made.scenes)
    _keep_tokens(seed, made.encoder, amount, folder)
    test = part("test", amount.tested)
    reached = accuracy(made.head, asked_of("test", test, MERGING, seed, folder))
    return Trained(
        seed=seed,
        accuracy=reached.every,
        own_accuracy=reached.own,
        relational_accuracy=reached.relational,
    )


def model(seed: int, folder: Path) -> tuple[TokenEncoder, AnswerHead]:
    """Return a seed's encoder and head as :func:`train` left them."""
    encoder, head, _ = parts(seed, folder)
    return encoder, head


def parts(seed: int, folder: Path) -> tuple[TokenEncoder, AnswerHead, SceneHead]:
    """Return a seed's encoder and head, and the head that it was pretrained with."""
    modules = TokenEncoder(), AnswerHead(), SceneHead()
    saved = torch.load(folder / f"model{seed}.pt", weights_only=True)
    for module, weights in zip(modules, saved, strict=True):
        module.load_state_dict(weights)
        module.eval()
    return modules


def asked_of(split: str, scenes: Part, merging: Merging, seed: int, folder: Path) -> Asked:
    """Return a part's merged tokens, as :func:`train` kept them, with its questions."""
    path = _tokens(split, len(scenes.pictures), merging, seed, folder)
    # Copy-on-write, since torch takes no array that is read-only.
    return scenes.asked(torch.from_numpy(np.load(path, mmap_mode="c")))


def _keep_tokens(seed: int, encoder: TokenEncoder, amount: Amount, folder: Path) -> None:
    """Encode all pictures once, and merge their tokens in each of the plan's ways."""
    ways = {c.merging for c in amount.codings if not isinstance(c, ImageCoding)}
    counts = {"public": amount.scenes, "validation": amount.validated, "test": amount.tested}
    for split, count in counts.items():
        every = merged_tokens(encoder, _EVERY, part(split, count).pictures)
        for merging in {MERGING, *ways}:
            merged = torch.cat([merging(chunk) for chunk in torch.split(every, _CHUNK)])
            _keep(_tokens(split, count, merging, seed, folder), merged)


def _keep(path: Path, tokens: Tensor) -> None:
    np.save(path, tokens.numpy())


def _tokens(split: str, count: int, merging: Merging, seed: int, folder: Path) -> Path:
    return folder / f"tokens-{split}{count}-{merging.method}{merging.count}-{seed}.npy"


def _save(path: Path, *modules: nn.Module) -> None:
    torch.save([module.state_dict() for module in modules], path)
