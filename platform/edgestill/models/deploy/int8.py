"""Eight bits for weights and activations of a file's convolutions and linear layers."""

import logging
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Inputs = Mapping[str, NDArray[np.float32]]

QUANTISED = ["Conv", "Gemm"]
"""Operators; what lies between (norms, pooling) stays in float32."""


def quantise_onnx(path: Path, calibration: Inputs, *, batch: int | None) -> None:
    """Turn a float32 file into int8, in place.

    Static post-training quantisation (Jacob et al., "Quantization and training of neural networks
    for efficient integer-arithmetic-only inference", CVPR 2018): weights by output channel,
    activations by the range that they take on calibration samples.

    Args:
        path: of the file.
        calibration: [N, ...] by input name; never the samples that it is scored on.
        batch: fixed number of samples of a call, or None.
    """
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        prepared = Path(scratch) / "prepared.onnx"
        level = logging.root.level
        logging.root.setLevel(logging.ERROR)
        try:
            quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
            quantize_static(
                str(prepared),
                str(path),
                _reader(calibration, batch or 1),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=QUANTISED,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
            )
        finally:
            logging.root.setLevel(level)


def _reader(calibration: Inputs, batch: int) -> Any:
    """Return what gives the calibration samples one call after another."""
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._parts = _parts(calibration, batch)

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            return next(self._parts, None)

    return Reader()


def _parts(calibration: Inputs, batch: int) -> Iterator[dict[str, NDArray[np.float32]]]:
    count = min(len(values) for values in calibration.values())
    for start in range(0, count - batch + 1, batch):
        yield {name: values[start : start + batch] for name, values in calibration.items()}
