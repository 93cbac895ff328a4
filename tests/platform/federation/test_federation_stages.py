"""Levels that compress each modality in its own way."""

import numpy as np
import pytest
import torch
import yaml

from edgestill.allocation import Level, allocation_of
from edgestill.errors import ConfigurationError
from edgestill.federation import world_of
from edgestill.models import reduce_resolution

STAGES = {"audio": "bands", "sensor": "statistics"}
LEVELS = {
    "medium": {"modalities": {"visual": 1.0, "audio": 0.5, "sensor": 0.5}},
    "low": {"modalities": {"visual": 1.0, "sensor": 0.5}},
}


def _seen(world, level):
    allocation = allocation_of(world.config.allocation.levels, level, world.dataset.kinds)
    variant = world.family.variant(allocation.modalities, allocation.width)
    rows = world.dataset.splits["public"][:5]
    whole = {k: torch.from_numpy(v) for k, v in world.dataset.inputs(rows).items()}
    return whole, variant.seen(whole), variant


def test_a_level_sees_what_its_stages_leave(tiny_config):
    world = world_of(tiny_config(allocation={"stages": STAGES, "levels": LEVELS}))
    whole, seen, variant = _seen(world, Level.MEDIUM)
    assert seen["audio"].shape[1:] == (1, 4, 8)
    variance = whole["audio"].new_tensor(
        world.dataset.inputs(world.dataset.splits["public"])["audio"].var(axis=(0, 1, 3))
    )
    strongest = sorted(variance.argsort(descending=True)[:4].tolist())
    assert torch.equal(seen["audio"], whole["audio"][:, :, strongest])
    assert torch.allclose(seen["sensor"][..., 0], whole["sensor"][..., :4].mean(-1), atol=1e-5)
    pooled = world_of(tiny_config(allocation={"levels": LEVELS}))
    assert pooled.family.compress is reduce_resolution
    assert variant.cost.forward_flops == _seen(pooled, Level.MEDIUM)[2].cost.forward_flops


@pytest.mark.parametrize("sensor", ["statistics", "components"])
def test_many_devices_at_once_and_one_by_one_learn_the_same_under_stages(
    federate, tiny_config, sensor
):
    allocation = {
        "policy": "static",
        "level": "medium",
        "stages": {"audio": "temporal", "sensor": sensor},
        "levels": LEVELS,
    }
    together = federate(tiny_config(allocation=allocation))
    apart = federate(tiny_config(allocation=allocation, engine={"trainer": "sequential"}))
    for name, array in together.state.arrays.items():
        np.testing.assert_allclose(array, apart.state.arrays[name], atol=1e-4, err_msg=name)


def test_a_modality_that_no_level_uses_is_missing_for_all_devices(tiny_config):
    levels = {
        name: {"modalities": {"visual": 1.0, "audio": 1.0}}
        for name in ("high", "medium", "low", "critical")
    }
    with pytest.raises(ConfigurationError, match=r"allocation\.levels: sensor is missing for all"):
        world_of(tiny_config(allocation={"levels": levels}))


def test_a_stage_of_a_modality_that_the_data_lacks_is_refused(tiny_config, tiny_dataset, tmp_path):
    folder = tmp_path / "no-sensor"
    folder.mkdir()
    manifest = yaml.safe_load((tiny_dataset / "manifest.yaml").read_text())
    manifest["modalities"] = [m for m in manifest["modalities"] if m["kind"] != "sensor"]
    (folder / "manifest.yaml").write_text(yaml.safe_dump(manifest))
    for name in ("visual", "audio", "labels", "users"):
        (folder / f"{name}.npy").hardlink_to(tiny_dataset / f"{name}.npy")
    config = tiny_config(
        data={"path": str(folder)}, allocation={"stages": {"sensor": "statistics"}}
    )
    with pytest.raises(ConfigurationError, match=r"stages\.sensor: blobs has no sensor"):
        world_of(config)
