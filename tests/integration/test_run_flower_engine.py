"""The same apps under Flower's own engine end with the same parameters as on our fleet."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from edgestill.config import dump, load

PROGRAM = Path(__file__).with_name("flower_engine.py")


def test_flowers_engine_and_our_fleet_agree(reference_folder, small_yaml, tmp_path):
    (tmp_path / "two.yaml").write_text(dump(load(small_yaml, ["federation.rounds=2"])))
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, PROGRAM, tmp_path / "two.yaml", tmp_path / "theirs.npz"],
        env=os.environ | {"FLWR_TELEMETRY_ENABLED": "0"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    kept = load_file(reference_folder / "checkpoints" / "round-000002.safetensors")
    ours = {n.removeprefix("model/"): a for n, a in kept.items() if n.startswith("model/")}
    theirs = np.load(tmp_path / "theirs.npz")
    assert set(theirs) == set(ours)
    for name, array in ours.items():
        # Flower's engine trains one device at a time, ours many in a call: other rounding.
        np.testing.assert_allclose(theirs[name], array, atol=1e-4, err_msg=name)
