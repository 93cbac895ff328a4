"""From untrained networks to a joint model: cloud, fog, edge, then codec, adapters and the gate."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from edgestill.config import JointConfig
from edgestill.inference.answer import Tier
from edgestill.inference.joint.cloud import Heavier
from edgestill.inference.joint.family import Family
from edgestill.inference.joint.model import Gate, JointModel, owned
from edgestill.inference.joint.networks import CloudNetwork, EdgeNetwork
from edgestill.inference.joint.samples import Samples
from edgestill.inference.joint.training.adaptation import (
    Weights,
    adapt,
    new_codec,
    tokens_of,
    varied_tokens_of,
)
from edgestill.inference.joint.training.gating import calibrate
from edgestill.inference.joint.training.learning import (
    Lessons,
    boosted,
    fit_cloud,
    fit_edge,
    lessons_of,
)
from edgestill.inference.one_cycle import Plan
from edgestill.seeds import derive_seed

_NETWORK_RATE, _ADAPTATION_RATE = 4e-3, 2e-3
_BATCH, _SMALLER_BATCH = 64, 32
_FEW = 4096
"""Samples below which the smaller batch is taken, so that an epoch is twice as many steps."""

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sets:
    """Public samples to learn from, and validation samples that nothing is trained on."""

    public: Samples
    validation: Samples


def train_joint(family: Family, sets: Sets, config: JointConfig, told: Told) -> JointModel:
    """Train all halves of a joint model.

    Args:
        family: what it is made of.
        sets: to learn from.
        config: how.
        told: is given a line when a stage begins.

    Returns:
        the model in evaluation mode, its gate calibrated.
    """
    count = len(sets.public)
    heavier: dict[Tier, CloudNetwork] = {}
    told(f"cloud's network on {count} samples")
    heavier["cloud"] = _heavier(family, "cloud", sets, config)
    if config.fog_epochs:
        told(f"fog's network on {count} samples")
        heavier["fog"] = _heavier(family, "fog", sets, config)
    lessons = {tier: lessons_of(network, sets.public) for tier, network in heavier.items()}
    told("edge's network, with knowledge distillation from the cloud")
    edge = _edge(family, sets, heavier["cloud"], lessons["cloud"], config)
    return adapted_model(family, edge, heavier, lessons, sets, config, told)


def adapted_model(
    family: Family,
    edge: EdgeNetwork,
    heavier: dict[Tier, CloudNetwork],
    lessons: dict[Tier, Lessons],
    sets: Sets,
    config: JointConfig,
    told: Told,
) -> JointModel:
    """Adapt trained heavier networks to a trained device's, and calibrate its gate.

    Args:
        family: of all of them.
        edge: the device's network; it stays as it is.
        heavier: the cloud's network, with which the codec is trained, and others after it.
        lessons: what each of them makes of the public samples.
        sets: to learn from.
        config: how; what it says of networks is not looked at.
        told: is given a line when a stage begins.
    """
    adaptation, seed = config.adaptation, config.seed
    tokens_of_rows = varied_tokens_of(edge, sets.public)
    weights = Weights(
        features=adaptation.feature_weight,
        distillation=adaptation.distillation_weight,
        rates=adaptation.rate_weights,
    )
    _seed(seed, "codec")
    codec = new_codec(tokens_of(edge, sets.public), len(weights.rates))
    joined: dict[Tier, Heavier] = {}
    for number, (tier, network) in enumerate(heavier.items()):
        told(f"{tier}'s adapter at {len(weights.rates)} rates" + ("" if number else ", with codec"))
        plan = planned(
            len(sets.public),
            epochs=adaptation.epochs,
            learning_rate=_ADAPTATION_RATE,
            seed=_seed(seed, f"adapter/{tier}"),
        )
        joined[tier] = Heavier(network, edge.token_shape)
        adapt(
            joined[tier],
            codec,
            tokens_of_rows,
            family.task,
            sets.public,
            lessons[tier],
            weights,
            plan,
            codec_too=number == 0,
        )
    told("gate on validation samples")
    model = JointModel(
        family=family,
        edge=edge.eval(),
        codec=owned(codec.freeze(), edge, family),
        heavier={tier: one.eval() for tier, one in joined.items()},
        temperatures={},
        gate=Gate(rule=config.gate.rule or "", threshold=float("inf")),
        bytes_by_rate=(),
    )
    return calibrate(model, sets.validation, config.gate)


def planned(count: int, *, epochs: float, learning_rate: float, seed: int) -> Plan:
    """Return a plan for n samples; of few a step takes fewer, or there are too few steps."""
    batch = _BATCH if count >= _FEW else _SMALLER_BATCH
    return Plan(epochs=epochs, learning_rate=learning_rate, seed=seed, batch=batch)


def _heavier(family: Family, tier: Tier, sets: Sets, config: JointConfig) -> CloudNetwork:
    seed = _seed(config.seed, tier)
    network = family.cloud() if tier == "cloud" else family.fog()
    epochs = config.cloud_epochs if tier == "cloud" else config.fog_epochs
    plan = planned(len(sets.public), epochs=epochs, learning_rate=_NETWORK_RATE, seed=seed)
    fit_cloud(network, family.task, sets.public, plan)
    return network


def _edge(
    family: Family, sets: Sets, cloud: CloudNetwork, lessons: Lessons, config: JointConfig
) -> EdgeNetwork:
    seed = _seed(config.seed, "edge")
    network, recall = family.edge(), config.recall
    network.inherit(cloud)
    task = boosted(family.task, recall.classes, recall.weight)
    epochs = config.edge_epochs
    plan = planned(len(sets.public), epochs=epochs, learning_rate=_NETWORK_RATE, seed=seed)
    share, weight = config.distillation.share, config.distillation.feature_weight
    fit_edge(
        network,
        task,
        sets.public,
        lessons,
        plan,
        share=share,
        adapter=family.cloud().adapter(network.token_shape) if weight else None,
        feature_weight=weight,
    )
    return network


def _seed(run_seed: int, purpose: str) -> int:
    """Seed torch for one part of the training, whatever was drawn before, and return the seed."""
    seed = derive_seed(run_seed, purpose)
    torch.manual_seed(seed)
    return seed
