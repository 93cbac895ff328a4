"""One seed's model before any codec, trained once and kept in a folder for all that use it."""

from dataclasses import dataclass
from pathlib import Path

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
from edgestill.jobs.benchmarks.tofc.plan import COUNT, Amount

MERGING = Merging(count=COUNT)


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
    encoder, head = made.encoder, made.head
    _save(folder / f"model{seed}.pt", encoder, head, made.scenes)
    test = part("test", amount.tested)
    reached = accuracy(head, test.asked(merged_tokens(encoder, MERGING, test.pictures)))
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


def _save(path: Path, *modules: nn.Module) -> None:
    torch.save([module.state_dict() for module in modules], path)


def asked_of(split: str, scenes: Part, merging: Merging, seed: int, folder: Path) -> Asked:
    """Return a part's merged tokens with its questions; tokens are computed once per merging."""
    path = folder / f"{split}{len(scenes.pictures)}-{merging.method}{merging.count}-{seed}.pt"
    if path.exists():
        tokens: Tensor = torch.load(path, weights_only=True)
    else:
        encoder, _ = model(seed, folder)
        tokens = merged_tokens(encoder, merging, scenes.pictures)
        partial = path.with_suffix(f".{torch.initial_seed()}")
        torch.save(tokens, partial)
        partial.replace(path)
    return scenes.asked(tokens)
