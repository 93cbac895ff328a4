"""Structured pruning: whole channels removed, so that the module that is left is really smaller.

Which channels matter is told by the gradients that the caller has left in the parameters. With
those of a distillation loss the channels that carry the teacher's knowledge stay: RA-CMKD's
"knowledge-preserving" pruning (Cherian & Manoov, "Modality-Specific Compression").
"""

import warnings
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from edgestill.models.fusion import LateFusion


def prune_channels(
    module: LateFusion, inputs: Mapping[str, Tensor], ratios: Mapping[str, float]
) -> None:
    """Remove a share of each encoder's channels, in place; embeddings keep their size.

    A channel's importance is the change of the loss if it were 0, to first order, summed over
    everything that depends on it: Molchanov et al., "Importance Estimation for Neural Network
    Pruning", CVPR 2019, equation 8, over the groups of Fang et al., "DepGraph", CVPR 2023.

    Args:
        module: with gradients of a loss; they are dropped afterwards.
        inputs: one batch or more of samples by kind, for its shapes; all of the module's kinds.
        ratios: kind to the share in 0..1 of the channels of each layer to remove, 0 when absent.
            At least one channel of each stays.

    Raises:
        ValueError: a ratio outside 0..1, or a parameter of a pruned encoder without gradient.
    """
    import torch_pruning  # half a second, and only the cloud prunes

    _check(module, ratios)
    pruned = {layer: ratios.get(kind, 0.0) for kind, layer in _convolutions(module)}
    with warnings.catch_warnings():
        # It mentions the fusion's gates, which have no channels.
        warnings.simplefilter("ignore", UserWarning)
        torch_pruning.pruner.BasePruner(
            module,
            dict(inputs),
            importance=torch_pruning.importance.GroupTaylorImportance(),
            pruning_ratio=0.0,
            pruning_ratio_dict=pruned,
            ignored_layers=_kept_whole(module, pruned),
            forward_fn=lambda model, given: model(given),
            output_transform=lambda output: output.logits,
        ).step()
    module.zero_grad(set_to_none=True)


def _check(module: LateFusion, ratios: Mapping[str, float]) -> None:
    for kind, ratio in ratios.items():
        if not 0.0 <= ratio <= 1.0:
            raise ValueError(f"{kind}: pruning ratio is {ratio}; expected 0 to 1")
        if ratio and any(one.grad is None for one in module.encoders[kind].parameters()):
            raise ValueError(f"{kind}: no gradient to judge channels by; differentiate first")


def _convolutions(module: LateFusion) -> Iterator[tuple[str, nn.Module]]:
    for kind, encoder in module.encoders.items():
        for layer in encoder.modules():
            if isinstance(layer, nn.Conv1d | nn.Conv2d):
                yield kind, layer


def _kept_whole(module: LateFusion, pruned: Collection[Any]) -> list[nn.Module]:
    """Return the layers whose outputs are embeddings and logits."""
    return [
        layer for layer in module.modules() if isinstance(layer, nn.Linear) and layer not in pruned
    ]
