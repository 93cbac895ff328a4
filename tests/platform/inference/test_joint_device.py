"""What a device must import to answer: neither Ray nor a server, nor what training needs."""

import subprocess
import sys
from pathlib import Path

import numpy as np
from joint_models import model, pictures

from edgestill.inference.joint import save_joint

SCRIPT = """
import sys
from pathlib import Path

class Absent:
    NAMES = ("ray", "fastapi", "uvicorn", "flwr", "compressai", "torchvision")

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.NAMES:
            raise ImportError(f"{name} is not for a device")

sys.meta_path.insert(0, Absent())
import numpy as np
from edgestill.inference.client import EdgeClient
from edgestill.inference.joint import load_edge

edge = load_edge(Path(sys.argv[1]))
client = EdgeClient(
    edge.half,
    hardness=edge.hardness,
    threshold=edge.threshold,
    cloud=None,
    deadline_s=60.0,
    bandwidth_bytes_per_s=1e6,
)
answered = client.answer({"visual": np.load(sys.argv[2])})
print(answered.answer.by, answered.answer.label)
for rate in range(len(edge.half.bytes_by_rate)):
    looked = edge.half.look({"visual": np.load(sys.argv[2])})
    print(len(edge.half.encode(looked.features, rate)))
unwanted = ("edgestill.training", "edgestill.federation", "edgestill.inference.joint.training")
print([name for name in sys.modules if name.startswith(unwanted)])
"""


def test_a_device_answers_and_encodes_without_ray_or_training(tmp_path):
    made = model()
    save_joint(tmp_path / "joint", made, {})
    np.save(tmp_path / "picture.npy", pictures()[0])
    platform = Path(__file__).parents[3] / "platform"
    done = subprocess.run(  # noqa: S603 - our own interpreter and script
        [
            sys.executable,
            "-c",
            SCRIPT,
            str(tmp_path / "joint"),
            str(tmp_path / "picture.npy"),
        ],
        env={"PYTHONPATH": str(platform), "PATH": "", "HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, *sizes, unwanted = done.stdout.splitlines()
    looked = made.device_half().look({"visual": pictures()[0]})
    assert first == f"edge {looked.answer.label}"
    assert [int(size) for size in sizes] == [
        len(made.device_half().encode(looked.features, rate)) for rate in range(3)
    ]
    assert unwanted == "[]"
