"""Small joint models that nobody trained, for tests of what is around the networks."""

import numpy as np
import torch

from edgestill.inference.joint import (
    Gate,
    Heavier,
    Input,
    JointModel,
    PictureFamily,
    Samples,
    owned,
)
from edgestill.inference.joint.training import new_codec

PICTURE = Input(shape=(3, 16, 16), dtype="|u1", scale=0.0125, offset=-1.25)


def family(classes=4):
    """Return small pictures of a few classes."""
    return PictureFamily(picture=PICTURE, classes=classes)


def model(seed=0, *, rates=2, made_of=None, tiers=("cloud", "fog")):
    """Return an untrained model with a frozen codec."""
    torch.manual_seed(seed)
    made_of = made_of or family()
    edge = made_of.edge().eval()
    networks = {"cloud": made_of.cloud, "fog": made_of.fog}
    codec = new_codec(torch.randn(8, *edge.token_shape), rates)
    return JointModel(
        family=made_of,
        edge=edge,
        codec=owned(codec.freeze(), edge, made_of),
        heavier={tier: Heavier(networks[tier](), edge.token_shape).eval() for tier in tiers},
        temperatures={"edge": 1.5},
        gate=Gate(rule="least_confidence", threshold=0.3),
        bytes_by_rate=(100, 200, 500)[-rates - 1 :],
    )


def pictures(count=4, seed=0):
    """Return smooth pictures that JPEG keeps well, uint8 [n, 3, 16, 16]."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 216, (count, 3, 4, 4))
    return np.kron(coarse, np.ones((1, 1, 4, 4))).astype(np.uint8)


def blobs(count, seed, classes=4, noise=0.0):
    """Return samples whose class is where a bright square lies; ``noise`` makes them hard."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    arrays = rng.integers(60, 140, (count, 3, 16, 16))
    for row, label in enumerate(labels):
        top, left = divmod(int(label), 2)
        arrays[row, :, 8 * top + 2 : 8 * top + 6, 8 * left + 2 : 8 * left + 6] += 60
    arrays = np.clip(arrays + rng.normal(0.0, noise, arrays.shape), 0, 255)
    return Samples(
        inputs={"visual": PICTURE},
        arrays={"visual": arrays.astype(np.uint8)},
        rows=np.arange(count),
        targets_n=torch.from_numpy(labels),
        watched_n=labels == 0,
    )
