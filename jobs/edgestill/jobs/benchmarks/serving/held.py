"""What the processes of this benchmark read of the folder that :mod:`.model` prepared."""

import base64
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from edgestill.inference.client import Inputs
from edgestill.inference.joint import JointCloud, load_cloud

KIND = "visual"
INPUTS, FRAMES = "inputs.npy", "frames.json"


def load_served(folder: Path) -> JointCloud:
    """Return the cloud's half, for one thread."""
    torch.set_num_threads(1)
    return load_cloud(folder)


def inputs_of(folder: Path) -> list[Inputs]:
    """Return the inputs to ask about."""
    pictures = np.load(folder / INPUTS)
    return [{KIND: picture} for picture in pictures]


def read_frames(path: Path) -> list[list[bytes]]:
    """Return the frames of a file, by rate; the last rate's hold whole inputs."""
    coded: Sequence[Sequence[str]] = json.loads(path.read_text(encoding="utf-8"))
    return [[base64.b64decode(frame) for frame in frames] for frames in coded]
