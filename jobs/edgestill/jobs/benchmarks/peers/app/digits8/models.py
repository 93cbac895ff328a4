"""The two small networks of the contest, for inputs [B, 1, 8, 8] and ten classes."""

from collections import OrderedDict
from collections.abc import Callable, Mapping

from torch import nn

CLASSES = 10


def small_cnn() -> nn.Sequential:
    """Return two 3 x 3 convolutions of 16 and 32 channels, each pooled 2 x 2, and a linear head."""
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 16, 3, padding=1),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(16, 32, 3, padding=1),
            relu2=nn.ReLU(),
            pool2=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            head=nn.Linear(32 * 2 * 2, CLASSES),
        )
    )


def mlp() -> nn.Sequential:
    """Return a perceptron of 64, 128, 64 and 10 units."""
    return nn.Sequential(
        OrderedDict(
            flatten=nn.Flatten(),
            layer1=nn.Linear(64, 128),
            relu1=nn.ReLU(),
            layer2=nn.Linear(128, 64),
            relu2=nn.ReLU(),
            head=nn.Linear(64, CLASSES),
        )
    )


MODELS: Mapping[str, Callable[[], nn.Sequential]] = {"small_cnn": small_cnn, "mlp": mlp}
"""Each network by name."""
