"""One encoder per modality kind.

Shape letters: B batch, C channels, H height, W width, T time, D embedding.

Channel counts scale with the width, and every layer of a narrow encoder is the leading block of the
wide one (HeteroFL, Diao et al., ICLR 2021, section 3). Group normalisation over all channels keeps
no running statistics, which federated averaging would spoil.
"""

from collections.abc import Mapping

from torch import Tensor, nn

POOLED = {"visual": (3, 3), "audio": (3, 4), "sensor": (6,)}
"""Cells that are left of each kind after pooling; it makes the input's resolution free."""


def scaled(channels: int, width: float) -> int:
    """Return the channel count of a slice of relative width in (0, 1], at least 1."""
    return max(1, round(channels * width))


class ConvolutionalEncoder(nn.Module):
    """Convolutions, adaptive pooling and a projection to D that is layer-normalised.

    Args:
        kind: ``visual``, ``audio`` (both 2-D) or ``sensor`` (1-D).
        in_channels: channels of the input.
        channels: output channels of each convolution, already scaled to the width.
        embedding_size: D, the same for all widths, so that narrow and wide devices fuse alike.
    """

    def __init__(
        self, kind: str, in_channels: int, channels: tuple[int, ...], embedding_size: int
    ) -> None:
        super().__init__()
        planar = kind != "sensor"
        convolution = nn.Conv2d if planar else nn.Conv1d
        layers: list[nn.Module] = []
        for index, out_channels in enumerate(channels):
            stride = 2 if index and kind != "visual" else 1
            layers += [
                convolution(in_channels, out_channels, 3, stride=stride, padding=1, bias=False),
                nn.GroupNorm(1, out_channels),
                nn.ReLU(),
            ]
            in_channels = out_channels
        pooled = POOLED[kind]
        pool = nn.AdaptiveAvgPool2d(pooled) if planar else nn.AdaptiveAvgPool1d(pooled[0])
        cells = pooled[0] * pooled[1] if planar else pooled[0]
        self.convolutions = nn.Sequential(*layers, pool, nn.Flatten())
        self.projection = nn.Linear(in_channels * cells, embedding_size)
        self.normalisation = nn.LayerNorm(embedding_size, elementwise_affine=False)

    def forward(self, inputs_BC: Tensor) -> Tensor:  # noqa: N803 - shape letters
        """Return embeddings [B, D] of inputs [B, C, H, W] or [B, C, T]."""
        embeddings: Tensor = self.normalisation(self.projection(self.convolutions(inputs_BC)))
        return embeddings


def encoder(
    kind: str,
    shape: tuple[int, ...],
    *,
    channels: Mapping[str, tuple[int, ...]],
    width: float,
    embedding_size: int,
) -> ConvolutionalEncoder:
    """Build the encoder of one modality kind at a relative width in (0, 1]."""
    widths = tuple(scaled(count, width) for count in channels[kind])
    return ConvolutionalEncoder(kind, shape[0], widths, embedding_size)
