"""One step of a lane as a function of tensors alone, so that it can be traced.

Shape letters: L lanes (devices), N numbers of one device's parameters, B own and P public rows of a
step, S = B + P, Q the four terms of the loss.
"""

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from edgestill.config import AugmentationConfig, LossConfig, TrainingConfig
from edgestill.models import Variant
from edgestill.training.augmentation import augmented
from edgestill.training.forms import FORMS
from edgestill.training.interception import Interception
from edgestill.training.objective import Targets, loss_terms
from edgestill.training.private import SMALLEST_NORM
from edgestill.training.stacking import Stacking
from edgestill.training.streams import Streams
from edgestill.training.work import TERMS

Fields = dict[str, Tensor]


class StepFunction:
    """Gives each device's loss terms [L, Q] and gradients [L, N].

    Args:
        module: of the variant's width, in training mode.
        variant: the part that is trained.
        own: B.
        clip_norm: of each own sample's gradient under private training, else None.
        training: augmentation.
        loss: temperatures.
    """

    def __init__(
        self,
        module: nn.Module,
        variant: Variant,
        own: int,
        clip_norm: float | None,
        training: TrainingConfig,
        loss: LossConfig,
    ) -> None:
        self._module, self._variant, self._own = module, variant, own
        self._clip_norm, self._loss = clip_norm, loss
        self._augmentation = training.augmentation
        trained = {name for name, _ in module.named_parameters()}
        shapes = variant.shapes
        self.parameters = Stacking({name: shapes[name] for name in shapes if name in trained})
        self.buffers = Stacking({name: shapes[name] for name in shapes if name not in trained})

    def __call__(self, fields: Fields) -> tuple[Tensor, Tensor]:
        """Return terms [L, Q] and gradients [L, N].

        Args:
            fields: ``parameters`` [L, N], ``buffers`` [L, ...], ``weights`` [L, Q], ``budget`` [L],
                ``keys`` [L, 2], ``present``, ``identities`` and ``labels`` [L, S], ``input/KIND``
                [L, S, ...], and with public samples ``logits`` [L, P, K], ``embedding/KIND``
                [L, P, D], and ``relevance`` [L, P] where samples have it; under private training
                ``noise`` [L, N] and ``share`` [L].
        """
        if self._clip_norm is not None:
            return self._private(fields)
        return self._gradients(fields, fields["weights"], self._own)

    def _gradients(
        self,
        fields: Fields,
        weights_LQ: Tensor,  # noqa: N803 - shape letters
        own: int,
    ) -> tuple[Tensor, Tensor]:
        leaves = {
            name: view.detach().requires_grad_()
            for name, view in self.parameters.views(fields["parameters"]).items()
        }
        rest = {name: value for name, value in fields.items() if name != "parameters"}
        terms_LQ: Tensor = vmap(lambda state, seen: self._terms(state, seen, own))(leaves, rest)  # noqa: N806
        gradients = torch.autograd.grad(
            (terms_LQ * weights_LQ).sum(),
            list(leaves.values()),
            allow_unused=True,
            materialize_grads=True,
        )
        return terms_LQ.detach(), self.parameters.join(gradients)

    def _private(self, fields: Fields) -> tuple[Tensor, Tensor]:
        """Clip each own sample's gradient, add noise to their sum, then the public gradient.

        Each sample is a lane of its own, of one row, with its device's parameters.
        """
        own, lanes = self._own, len(fields["parameters"])
        alone = {
            name: value[:, :own].flatten(0, 1).unsqueeze(1)
            if name in _BY_ROW or name.startswith("input/")
            else value.repeat_interleave(own, dim=0)
            for name, value in fields.items()
            if name not in _PUBLIC and not name.startswith("embedding/")
        }
        task = torch.tensor([1.0, 0.0, 0.0, 0.0], device=alone["weights"].device)
        _, gradients = self._gradients(alone, alone["weights"] * task, 1)
        norms = torch.linalg.vector_norm(gradients, dim=1)
        scales = (self._clip_norm / norms.clamp(min=SMALLEST_NORM)).clamp(max=1.0)
        scales = scales * fields["present"][:, :own].flatten()
        clipped = (gradients * scales.unsqueeze(1)).view(lanes, own, -1).sum(1)
        private = (clipped + fields["noise"]) * fields["share"].unsqueeze(1)
        if "logits" not in fields:
            return torch.zeros_like(fields["weights"]), private
        taught = {
            name: value[:, own:] if name in _BY_ROW or name.startswith("input/") else value
            for name, value in fields.items()
        }
        terms_LQ, public = self._gradients(taught, fields["weights"] * (1.0 - task), 0)  # noqa: N806
        # A step that saw no public samples has nothing to learn from the filling.
        seen = taught["present"].amax(dim=1, keepdim=True)
        return terms_LQ * seen, private + public * seen

    def _terms(self, state: Fields, seen: Fields, own: int) -> Tensor:
        """Return one device's terms [Q]: what the reference computes, in forms that batch."""
        identities, keys = seen["identities"], seen["keys"]
        if self.buffers.width:
            buffers = self.buffers.views(seen["buffers"].unsqueeze(0))
            state = {**state, **{name: one[0] for name, one in buffers.items()}}
        with Interception({**FORMS, **Streams(keys[0], identities).table()}):
            inputs = self._varied(_below(seen, "input/"), keys[1], identities, own)
            output = functional_call(self._module, state, (inputs,))
            targets = Targets(
                labels=seen["labels"],
                own=own,
                logits=seen.get("logits"),
                embeddings=_below(seen, "embedding/"),
                relevance=seen.get("relevance"),
                present=seen["present"],
            )
            terms = loss_terms(output, targets, self._variant, seen["budget"], self._loss)
            return torch.stack([terms[name] for name in TERMS])

    def _varied(self, inputs: Fields, key: Tensor, identities: Tensor, own: int) -> Fields:
        if self._augmentation == AugmentationConfig() or not own:
            return inputs
        fresh = {kind: values[:own] for kind, values in inputs.items()}
        varied = augmented(fresh, self._augmentation, Streams(key, identities[:own]))
        return {kind: torch.cat([varied[kind], one[own:]]) for kind, one in inputs.items()}


_BY_ROW = ("present", "identities", "labels")
_PUBLIC = ("logits", "relevance", "noise", "share")


def _below(fields: Fields, prefix: str) -> Fields:
    return {
        name.removeprefix(prefix): one for name, one in fields.items() if name.startswith(prefix)
    }
