"""The platform imports, trains and federates where ray cannot be imported."""

import subprocess
import sys
from pathlib import Path

from edgestill.config import dump

SCRIPT = """
import importlib, pkgutil, sys
from pathlib import Path

class NoRay:
    def find_spec(self, name, path=None, target=None):
        if name == "ray" or name.startswith("ray."):
            raise ImportError(f"{name} is not for the platform")

sys.meta_path.insert(0, NoRay())
try:
    import ray
except ImportError:
    pass
else:
    raise SystemExit("the hook does not work")

import edgestill
root, config_path = Path(sys.argv[1]), Path(sys.argv[2])
names = [
    module.name for module in pkgutil.walk_packages([str(root / "edgestill")], "edgestill.")
]
for name in names:
    importlib.import_module(name)
print("imported", len(names))

import torch
torch.set_num_threads(1)
from edgestill.config import load
from edgestill.federation import (
    BankSource, Coordinator, LocalGrid, Surroundings, make_client_app, teach, world_of,
)
from edgestill.telemetry import MetricStore

class Quiet:
    def vitals_exported(self): pass
    def round_started(self, *_): pass
    def round_ended(self, row): print("round", row["round"], "completed", row["completed"])

config = load(config_path)
world = world_of(config)
lessons = teach(world)
try:
    while True:
        next(lessons)
except StopIteration as end:
    bank = end.value.bank
source = BankSource(bank, config.knowledge, world.fingerprint)
store = MetricStore(max_device_series=0)
grid = LocalGrid(make_client_app(config), config.fleet.devices)
Coordinator(
    grid, Surroundings(world=world, source=source, store=store, observer=Quiet())
).run()
print("ray" in sys.modules)
"""


def test_the_platform_runs_to_the_end_without_ray(tiny_config, tmp_path):
    platform = Path(__file__).parents[2] / "platform"
    config = tmp_path / "config.yaml"
    config.write_text(dump(tiny_config()))
    # Only the platform's root is on the path: not even our own actors could be imported.
    done = subprocess.run(  # noqa: S603 - our own interpreter and script
        [sys.executable, "-c", SCRIPT, str(platform), str(config)],
        env={"PYTHONPATH": str(platform), "PATH": "", "HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    modules = [
        path
        for path in (platform / "edgestill").rglob("*.py")
        if "__pycache__" not in path.parts and path.stem != "__main__"
    ]
    assert lines[0] == f"imported {len(modules)}"
    assert lines[1:3] == ["round 1 completed 6", "round 2 completed 6"]
    assert lines[-1] == "False"
