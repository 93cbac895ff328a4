"""The device half's network: a picture into visual tokens, before any projector.

Letters: B images, T tokens, D features, P features of a place, C colours of objects.
"""

# Names end in shape letters.
# ruff: noqa: N803, N806, N815

import torch
from torch import Tensor, nn

from edgestill.data.scene_vqa import COLOURS, SIDE

STRIDE = 8
GRID = SIDE // STRIDE
TOKENS = GRID**2
DIMENSION = 64

TOKEN_SCALE = 0.3
"""What tokens are multiplied by. DPC-KNN's density, exp(-d^2), tells a few tokens that stand out
from many that are alike if they are some 0.5 apart in root mean square; far larger distances make
the density of what stands out vanish."""

_WIDTHS = (16, 32, 64)


class TokenEncoder(nn.Module):
    """Convolutions of stride 8: 12 x 12 tokens of 64 features, each with its place added.

    The stem stands for the pretrained vision encoder of TOFC (Yuan et al., IEEE TMC 2026), 75 kB
    of weights at int8.
    """

    places_TP: Tensor

    def __init__(self) -> None:
        super().__init__()
        first, second, third = _WIDTHS
        self.stem = nn.Sequential(
            *_block(3, first, kernel=5, stride=2),
            *_block(first, second, kernel=3, stride=2),
            *_block(second, third, kernel=3, stride=2),
            *_block(third, third, kernel=3, stride=1),
            nn.Conv2d(third, DIMENSION, 1),
        )
        self.register_buffer("places_TP", _places())
        self.place = nn.Linear(self.places_TP.shape[1], DIMENSION, bias=False)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Return tokens BTD in the order of rows, of standardised images [B, 3, 96, 96]."""
        images_BCHW = images_BCHW.to(memory_format=torch.channels_last)
        features_BTD = self.stem(images_BCHW).flatten(2).transpose(1, 2)
        tokens_BTD: Tensor = (features_BTD + self.place(self.places_TP)) * TOKEN_SCALE
        return tokens_BTD


class SceneHead(nn.Module):
    """What the encoder is pretrained with: where the object of each colour is, and its shape."""

    def __init__(self) -> None:
        super().__init__()
        self.read = nn.Linear(DIMENSION, len(COLOURS) * 5)

    def loss(self, tokens_BTD: Tensor, objects_BC3: Tensor) -> Tensor:
        """Return cross-entropy of cell and shape, and squared error of the place within the cell.

        Args:
            tokens_BTD: of the encoder, not merged.
            objects_BC3: shape, row and column of the centre, integers.
        """
        images = len(tokens_BTD)
        read_BTC5 = self.read(tokens_BTD / TOKEN_SCALE).view(images, TOKENS, len(COLOURS), 5)
        centres_BC2 = objects_BC3[:, :, 1:]
        cell_BC = (centres_BC2[..., 0] // STRIDE) * GRID + centres_BC2[..., 1] // STRIDE
        index = cell_BC[:, None, :, None].expand(-1, 1, -1, 5)
        own_BC5 = read_BTC5.gather(1, index).squeeze(1)
        where = nn.functional.cross_entropy(read_BTC5[..., 0], cell_BC)
        shape = nn.functional.cross_entropy(own_BC5[..., 1:3].transpose(1, 2), objects_BC3[..., 0])
        within_BC2 = (centres_BC2 % STRIDE - (STRIDE - 1) / 2) / (STRIDE / 2)
        place = nn.functional.mse_loss(own_BC5[..., 3:], within_BC2.to(own_BC5.dtype))
        return where + 2 * shape + place


def _places() -> Tensor:
    """Return what says where each token is, TP: row y and column x in -1..1, y^2, x^2, x * y.

    With squares a distance is an inner product, which is what attention compares.
    """
    centres = (torch.arange(GRID) + 0.5) * (2 / GRID) - 1
    grid = torch.meshgrid(centres, centres, indexing="ij")
    row_T, column_T = (axis.flatten() for axis in grid)
    squares = (row_T**2 - 1 / 3, column_T**2 - 1 / 3, row_T * column_T)
    return torch.stack([row_T, column_T, *squares], dim=1)


def _block(width_in: int, width_out: int, *, kernel: int, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(width_in, width_out, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(width_out),
        nn.ReLU(),
    ]
