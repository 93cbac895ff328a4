"""Networks for small pictures: a plain one at the edge, residual ones in the fog and the cloud.

Letters: B pictures, C channels, H height, W width, N tokens, D features of a token.
"""

# Names end in shape letters.
# ruff: noqa: N803

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from edgestill.errors import ConfigurationError
from edgestill.inference.joint.networks import CloudNetwork, EdgeNetwork

EDGE_CHANNELS = (24, 16, 48)
"""Few after the second convolution, whose map travels."""

CLOUD_WIDTH, FOG_WIDTH = 32, 16

_PATCH = 2
"""Side of the square of places of the edge's map that makes a token."""

_STRIDE, _LEFT = 4, 4
"""Of the maps where knowledge passes, and the side that is left before the classifier."""


class PictureEdge(EdgeNetwork):
    """Three convolutions; tokens are 2 x 2 patches of the map after the second.

    Args:
        shape: C, H and W of a picture; H and W are multiples of 8.
        classes: of the answer.
    """

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        _check(shape)
        first, second, third = EDGE_CHANNELS
        self._grid = (shape[1] // _STRIDE // _PATCH, shape[2] // _STRIDE // _PATCH)
        rows, columns = self._grid
        self.token_shape = (rows * columns, second * _PATCH**2)
        self.stem = nn.Sequential(*_block(shape[0], first), *_block(first, second))
        self.head = nn.Sequential(
            *_block(second, third), nn.Flatten(), nn.Linear(third * rows * columns, classes)
        )

    def tokens(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return BND of pictures ``visual`` [B, C, H, W]."""
        return patches(_last_channels(self.stem, inputs["visual"]), _PATCH)

    def answer(self, tokens: Tensor) -> Tensor:
        """Return logits [B, K] of tokens BND."""
        logits: Tensor = self.head(unpatched(tokens, self._grid, _PATCH))
        return logits


class PictureCloud(CloudNetwork):
    """A residual network (He et al., CVPR 2016); features are its map of a quarter of the side.

    Args:
        shape: C, H and W of a picture; H and W are multiples of 8.
        classes: of the answer.
        width: channels of the first convolution; 32 in the cloud, 16 in the fog.
    """

    def __init__(self, shape: tuple[int, int, int], classes: int, width: int) -> None:
        super().__init__()
        _check(shape)
        self._side, self._channels = (shape[1] // _STRIDE, shape[2] // _STRIDE), 2 * width
        self.stem = nn.Sequential(
            *_block(shape[0], width), Residual(width, width), Residual(width, 2 * width, stride=2)
        )
        self.head = nn.Sequential(
            Residual(2 * width, 4 * width, stride=2),
            nn.AdaptiveAvgPool2d(_LEFT),
            nn.Flatten(),
            nn.Dropout(0.3),
            nn.Linear(4 * width * _LEFT**2, classes),
        )

    def features(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return maps [B, 2 * width, H / 4, W / 4] of pictures ``visual`` [B, C, H, W]."""
        return _last_channels(self.stem, inputs["visual"])

    def answer(self, features: Tensor) -> Tensor:
        """Return logits [B, K]."""
        logits: Tensor = self.head(features)
        return logits

    def adapter(self, token_shape: tuple[int, int]) -> nn.Module:
        """Return an untrained module from tokens of :class:`PictureEdge` to such maps."""
        return MapAdapter(token_shape, self._side, self._channels)


class MapAdapter(nn.Module):
    """Puts tokens back in their places, and convolves them into a cloud's map.

    Args:
        token_shape: N and D; each token is a square of places.
        side: height and width of the cloud's map.
        channels: of the cloud's map.
    """

    def __init__(self, token_shape: tuple[int, int], side: tuple[int, int], channels: int) -> None:
        super().__init__()
        places = side[0] * side[1] // token_shape[0]
        self._patch = round(places**0.5)
        self._grid = (side[0] // self._patch, side[1] // self._patch)
        own = token_shape[1] // self._patch**2
        self.lift = nn.Sequential(
            nn.Conv2d(own, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()
        )
        self.mix = Residual(channels, channels)

    def forward(self, tokens_BND: Tensor) -> Tensor:
        """Return maps [B, channels, *side]."""
        maps: Tensor = self.mix(self.lift(unpatched(tokens_BND, self._grid, self._patch)))
        return maps


class Residual(nn.Module):
    """Two convolutions and a way around them."""

    def __init__(self, width_in: int, width_out: int, stride: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width_in, width_out, 3, stride, 1, bias=False),
            nn.BatchNorm2d(width_out),
            nn.ReLU(),
            nn.Conv2d(width_out, width_out, 3, 1, 1, bias=False),
            nn.BatchNorm2d(width_out),
        )
        same = stride == 1 and width_in == width_out
        self.around = (
            nn.Identity() if same else nn.Conv2d(width_in, width_out, 1, stride, bias=False)
        )

    def forward(self, maps_BCHW: Tensor) -> Tensor:
        """Return maps of ``width_out`` channels."""
        result: Tensor = (self.body(maps_BCHW) + self.around(maps_BCHW)).relu()
        return result


def patches(maps_BCHW: Tensor, side: int) -> Tensor:
    """Return BND: each token is a square of ``side`` x ``side`` places, all their channels."""
    images, channels, height, width = maps_BCHW.shape
    cut = maps_BCHW.reshape(images, channels, height // side, side, width // side, side)
    return cut.permute(0, 2, 4, 1, 3, 5).reshape(images, -1, channels * side**2)


def unpatched(tokens_BND: Tensor, grid: tuple[int, int], side: int) -> Tensor:
    """Return the maps BCHW that :func:`patches` made into tokens."""
    images, _, features = tokens_BND.shape
    cut = tokens_BND.reshape(images, *grid, features // side**2, side, side)
    maps = cut.permute(0, 3, 1, 4, 2, 5)
    return maps.reshape(images, -1, grid[0] * side, grid[1] * side)


def _last_channels(network: nn.Module, pictures_BCHW: Tensor) -> Tensor:
    """Run a network with channels last in memory, twice as fast on a CPU."""
    maps: Tensor = network(pictures_BCHW.contiguous(memory_format=torch.channels_last))
    return maps


def _block(width_in: int, width_out: int) -> list[nn.Module]:
    return [
        nn.Conv2d(width_in, width_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(width_out),
        nn.ReLU(),
        nn.MaxPool2d(2),
    ]


def _check(shape: tuple[int, int, int]) -> None:
    if any(side % (_STRIDE * _PATCH) for side in shape[1:]):
        raise ConfigurationError(
            f"data: pictures are {shape[1]} x {shape[2]}; these networks take multiples of "
            f"{_STRIDE * _PATCH}"
        )
