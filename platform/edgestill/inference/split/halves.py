"""The two halves as they are deployed: a picture into one frame, a frame into answers.

Letters: C channels, H height, W width, Q questions.
"""

# Names end in shape letters.
# ruff: noqa: N803

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from edgestill.codec.frame import MAX_FRAME_BYTES
from edgestill.codec.frozen import FrozenCodec
from edgestill.errors import DataError
from edgestill.inference.split.answering import AnswerHead
from edgestill.inference.split.encoder import TokenEncoder
from edgestill.inference.split.merging import Merging

_METHODS = ("dpc_knn", "pooling", "random", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceHalf:
    """What a device runs: encoder, merging, entropy coder.

    Attributes:
        scale, offset: standardise a picture's uint8 values.
    """

    encoder: TokenEncoder
    merging: Merging
    codec: FrozenCodec
    scale: float
    offset: float

    @torch.no_grad()
    def frame(self, image_CHW: NDArray[np.uint8], max_bytes: int = MAX_FRAME_BYTES) -> bytes:
        """Return what is sent of a picture, uint8 [3, 96, 96].

        Raises:
            RateError: the frame would have more than ``max_bytes``.
        """
        values = torch.from_numpy(image_CHW.astype(np.float32)) * self.scale + self.offset
        tokens = self.merging(self.encoder(values.unsqueeze(0)))
        return self.codec.encode(tokens[0].numpy(), max_bytes=max_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerHalf:
    """What a server runs: entropy decoder, projector, answers."""

    codec: FrozenCodec
    head: AnswerHead

    @torch.no_grad()
    def answers(self, frame: bytes, questions_Q: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Return the answer to each question, uint8 [Q, 11], about the picture of a frame.

        Raises:
            FrameError: not a frame of this codec.
        """
        tokens = torch.from_numpy(self.codec.decode(frame)).unsqueeze(0)
        asked = torch.from_numpy(questions_Q.astype(np.float32)).unsqueeze(0)
        chosen: NDArray[np.int64] = self.head(tokens, asked)[0].argmax(-1).numpy()
        return chosen


def save_halves(folder: Path, device: DeviceHalf, server: ServerHalf) -> None:
    """Write ``codec.safetensors``, ``device.safetensors`` and ``server.safetensors``.

    Raises:
        DataError: a file cannot be written.
    """
    merging = device.merging
    numbers = [_METHODS.index(merging.method), merging.count, merging.seed]
    sent = {
        "merging": torch.tensor(numbers),
        "standardise": torch.tensor([device.scale, device.offset], dtype=torch.float64),
        **_weights(device.encoder, "encoder."),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_file(sent, folder / "device.safetensors")
        save_file(_weights(server.head, "head."), folder / "server.safetensors")
    except OSError as error:
        raise DataError(f"{folder}: cannot be written ({error.strerror})") from error
    device.codec.save(folder / "codec.safetensors")


def load_halves(folder: Path) -> tuple[DeviceHalf, ServerHalf]:
    """Read what :func:`save_halves` wrote.

    Raises:
        DataError: a file is missing or holds something else.
    """
    codec = FrozenCodec.load(folder / "codec.safetensors")
    sent = _read(folder / "device.safetensors")
    encoder, head = TokenEncoder(), AnswerHead()
    try:
        method, count, seed = sent["merging"].tolist()
        scale, offset = sent["standardise"].tolist()
        _take(encoder, sent, "encoder.")
        _take(head, _read(folder / "server.safetensors"), "head.")
        merging = Merging(method=_METHODS[method], count=count, seed=seed)  # type: ignore[arg-type]
    except (KeyError, IndexError, RuntimeError, ValueError) as error:
        raise DataError(f"{folder}: holds no split model: {error}") from error
    device = DeviceHalf(encoder=encoder, merging=merging, codec=codec, scale=scale, offset=offset)
    return device, ServerHalf(codec=codec, head=head)


def _weights(module: nn.Module, prefix: str) -> dict[str, Tensor]:
    return {prefix + name: value.contiguous() for name, value in module.state_dict().items()}


def _take(module: nn.Module, weights: Mapping[str, Tensor], prefix: str) -> None:
    own = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
    module.load_state_dict(own)
    module.eval()


def _read(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path}: cannot be read as safetensors: {error}") from error
