"""What leaves the devices of a run, and what each of it costs in epsilon."""

from collections.abc import Mapping
from typing import Any

from edgestill.config import RunConfig
from edgestill.federation import Member, RunState
from edgestill.privacy import Ledger, Release, sample_epsilon

LOSS_BYTES = 8
"""What a device's report of its loss takes: a float64."""

SCORES_BYTES = 40
"""What a device's report on its held-out samples takes: their number and four shares, float64."""


def leaves_device(
    config: RunConfig, state: RunState, members: Mapping[int, Member], personal: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return a row for each kind of release over a run, those of the busiest device.

    Args:
        config: of the run.
        state: at its end.
        members: all devices that joined, by node.
        personal: how personal students compare; empty where nothing was held out.
    """
    ledger = _ledger(config, state, members, personal)
    return [*ledger.rows(), *_sample_rows(config, state, members)]


def _ledger(
    config: RunConfig,
    state: RunState,
    members: Mapping[int, Member],
    personal: Mapping[str, Any],
) -> Ledger:
    """Return what leaves a device over the run; releases are those of the busiest device."""
    summary_bytes = sum(member.summary_bytes for member in members.values())
    releases = [
        Release(
            what="update",
            noise_multiplier=config.privacy.update_noise_multiplier,
            delta=config.privacy.delta,
            releases=len(state.rows),
            bytes=sum(row["uplink_bytes"]["update"] for row in state.rows),
        )
    ]
    if summary_bytes:
        releases.append(
            Release(
                what="summary",
                noise_multiplier=config.knowledge.summary.noise_multiplier,
                delta=config.privacy.delta,
                bytes=summary_bytes,
            )
        )
    if config.federation.selection == "utility":
        # The loss on its own samples, by which a device is chosen; one number a round, no noise.
        releases.append(
            Release(
                what="loss",
                noise_multiplier=0.0,
                delta=config.privacy.delta,
                releases=len(state.rows),
                bytes=LOSS_BYTES * sum(row["completed"] + row["late"] for row in state.rows),
            )
        )
    if personal:
        # How often each device's students were right on its own samples; no noise.
        releases.append(
            Release(
                what="held-out scores",
                noise_multiplier=0.0,
                delta=config.privacy.delta,
                bytes=SCORES_BYTES * personal["devices"],
            )
        )
    return Ledger.of(*releases)


def _sample_rows(
    config: RunConfig, state: RunState, members: Mapping[int, Member]
) -> list[dict[str, Any]]:
    """Return what training itself tells of one sample, under DP-SGD: the same bytes as updates.

    Of the device with the fewest samples, each of which is in the largest share of its batches.
    """
    privacy = config.privacy
    fewest = min((m.examples for m in members.values() if m.examples), default=0)
    if privacy.sample_clip_norm is None or not fewest:
        return []
    return [
        {
            "what": "sample",
            "mechanism": "dp-sgd",
            "noise_multiplier": privacy.sample_noise_multiplier,
            "releases": len(state.rows),
            "epsilon": sample_epsilon(
                samples=fewest,
                batch_size=config.training.batch_size,
                epochs=max(level.epochs for _, level in config.allocation.levels),
                rounds=len(state.rows),
                noise_multiplier=privacy.sample_noise_multiplier,
                delta=privacy.delta,
            ),
            "delta": privacy.delta,
            "bytes": 0,
        }
    ]
