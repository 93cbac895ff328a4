"""Attacks that measure what leaks: inversion, membership, attributes, updates.

Each takes arrays, is seeded, and returns a frozen result. An attack that fails proves nothing; one
that succeeds does.
"""

from edgestill.privacy.attacks.attributes import (
    AttributeInference,
    infer_attribute,
    wilson_interval,
)
from edgestill.privacy.attacks.inversion import Inversion, invert_features
from edgestill.privacy.attacks.membership import (
    Membership,
    judge_membership,
    likelihood_ratio_attack,
    loss_attack,
    membership_auc,
)
from edgestill.privacy.attacks.quality import mean_psnr_db, mean_ssim
from edgestill.privacy.attacks.table import Leakage, Secrets, Seen, leakage_table
from edgestill.privacy.attacks.updates import (
    LayerInput,
    read_layer_input,
    regressed_update_scores,
    update_scores,
)

__all__ = [
    "AttributeInference",
    "Inversion",
    "LayerInput",
    "Leakage",
    "Membership",
    "Secrets",
    "Seen",
    "infer_attribute",
    "invert_features",
    "judge_membership",
    "leakage_table",
    "likelihood_ratio_attack",
    "loss_attack",
    "mean_psnr_db",
    "mean_ssim",
    "membership_auc",
    "read_layer_input",
    "regressed_update_scores",
    "update_scores",
    "wilson_interval",
]
