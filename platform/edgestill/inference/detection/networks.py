"""Small one-stage, anchor-free detectors: one grid of cells of 8 pixels, one head.

In the line of FCOS (Tian et al., ICCV 2019) and YOLOX (Ge et al., arXiv 2107.08430). The device's
is made of separable convolutions (Howard et al., arXiv 1704.04861), the cloud's and the fog's of
residual ones (He et al., CVPR 2016). Outputs are [B, C, 5 + K] as in
:mod:`edgestill.inference.detection.losses`.
"""

# Names end in shape letters: B pictures, C cells, N tokens (as many), D features of a token,
# H and W the grid's sides.
# ruff: noqa: N803

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from edgestill.inference.detection.losses import QUALITY
from edgestill.inference.joint.networks import CloudNetwork, EdgeNetwork, Varied

KIND = "visual"
STRIDE_PIXELS = 8
CHANNELS = (24, 40, 96)
"""After each of the three halvings of a picture's sides, at the edge and in the cloud."""

_LOG_SIZE = 1.0
"""What an untrained cell says of a box's sides: e of its own."""

_RARE = -4.0
"""The logit of the fit before training: objects are rare (Lin et al., ICCV 2017, section 4.1)."""


_DROPPED = 0.1
"""Share of a token's features that an adapter does without in training; tokens never vary."""


class EdgeDetector(EdgeNetwork):
    """A device's detector: a cloud's own trunk, narrowed to tokens, and a light head.

    Args:
        classes: K.
        side_pixels: of a picture, a multiple of 8.
        token_size: D.
        width: channels of the head, whose convolutions are separable.
    """

    def __init__(
        self, classes: int, *, side_pixels: int = 96, token_size: int = 48, width: int = 128
    ) -> None:
        super().__init__()
        self.token_shape = ((side_pixels // STRIDE_PIXELS) ** 2, token_size)
        self.recoloured = _Recoloured()
        self.trunk = _trunk(CHANNELS)
        self.narrowed = nn.Sequential(
            nn.Conv2d(CHANNELS[-1], token_size, 1, bias=False), nn.BatchNorm2d(token_size)
        )
        self.head = nn.Sequential(
            _convolution(token_size, width, size=1),
            _Separable(width),
            _Separable(width),
            _said(width, classes),
        )

    def inherit(self, cloud: CloudNetwork) -> None:
        """Begin with the trunk of a trained :class:`CloudDetector` of the usual channels."""
        if isinstance(cloud, CloudDetector):
            self.trunk.load_state_dict(cloud.trunk.state_dict())

    def tokens(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return [B, N, D], one token a cell, of standardised pictures [B, 3, side, side]."""
        return _listed(self.narrowed(_run(self.trunk, self.recoloured(inputs[KIND]))))

    def answer(self, tokens: Tensor) -> Tensor:
        """Return [B, C, 5 + K]."""
        return _listed(self.head(_gridded(tokens)))


class CloudDetector(CloudNetwork):
    """A residual detector of the cloud, or with fewer channels and blocks of a fog.

    Args:
        classes: K.
        channels: after each of the three halvings of the picture's sides.
        blocks: residual ones on the grid, in what answers from the features.
    """

    def __init__(
        self, classes: int, *, channels: Sequence[int] = CHANNELS, blocks: int = 2
    ) -> None:
        super().__init__()
        self.width = channels[-1]
        self.recoloured = _Recoloured()
        self.trunk = _trunk(channels)
        self.tail = nn.Sequential(
            *(_Residual(self.width) for _ in range(blocks)),
            _said(self.width, classes),
        )

    def features(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return [B, width, H, W] of standardised pictures [B, 3, side, side]."""
        return _run(self.trunk, self.recoloured(inputs[KIND]))

    def answer(self, features: Tensor) -> Tensor:
        """Return [B, C, 5 + K]."""
        return _listed(self.tail(features))

    def adapter(self, token_shape: tuple[int, int]) -> nn.Module:
        """Return an untrained module from a device's tokens, one a cell, to such features."""
        return _Adapter(token_shape[1], self.width)


class _Adapter(nn.Module):
    def __init__(self, token_size: int, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Dropout2d(_DROPPED),
            _convolution(token_size, width),
            nn.Conv2d(width, width, 1),
            nn.ReLU(),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        features: Tensor = self.layers(_gridded(tokens))
        return features


class _Recoloured(Varied):
    """In training swaps each picture's colours at random, and turns half of them into negatives.

    An object's class and box stay what they are; standardised pictures have their middle at 0.
    """

    def forward(self, x_B3HW: Tensor) -> Tensor:
        if not self.training:
            return x_B3HW
        pictures, colours = x_B3HW.shape[:2]
        order = torch.rand(pictures, colours, device=x_B3HW.device).argsort(dim=1)
        swapped = x_B3HW.gather(1, order[:, :, None, None].expand_as(x_B3HW))
        sign = torch.randint(0, 2, (pictures, 1, 1, 1), device=x_B3HW.device) * 2 - 1
        return swapped * sign


class _Separable(nn.Module):
    """A convolution of each channel alone, then one across them, added to what came in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(width, width, 5, padding=2, groups=width, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.relu(x + self.layers(x))


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _convolution(width, width),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.relu(x + self.layers(x))


def _trunk(channels: Sequence[int]) -> nn.Sequential:
    """Return what halves a picture's sides three times, to so many channels each."""
    first, second, third = channels
    return nn.Sequential(
        _convolution(3, first, stride=2),
        _convolution(first, second, stride=2),
        _Residual(second),
        _convolution(second, third, stride=2),
    )


def _convolution(inward: int, outward: int, *, size: int = 3, stride: int = 1) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inward, outward, size, stride, size // 2, bias=False),
        nn.BatchNorm2d(outward),
        nn.ReLU(),
    )


def _said(width: int, classes: int) -> nn.Module:
    """Return the last layer, which begins by saying small scores and middling boxes."""
    layer = nn.Conv2d(width, 5 + classes, 1)
    nn.init.normal_(layer.weight, std=0.01)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    layer.bias.data[2:4] = _LOG_SIZE  # type: ignore[union-attr]
    layer.bias.data[QUALITY] = _RARE  # type: ignore[union-attr]
    return layer


def _run(trunk: nn.Module, pictures_BCHW: Tensor) -> Tensor:
    """Run with channels last in memory, which takes half the time on a CPU."""
    grid: Tensor = trunk(pictures_BCHW.contiguous(memory_format=torch.channels_last))
    return grid


def _listed(grid_BDHW: Tensor) -> Tensor:
    return grid_BDHW.flatten(2).transpose(1, 2)


def _gridded(tokens_BND: Tensor) -> Tensor:
    pictures, cells, size = tokens_BND.shape
    side = math.isqrt(cells)
    return tokens_BND.transpose(1, 2).reshape(pictures, size, side, side)
