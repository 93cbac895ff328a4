"""A student as an ONNX file: inputs named by modality, one output ``logits`` [batch, K]."""

import contextlib
import io
import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from edgestill.errors import InputError
from edgestill.models.deploy.pooling import with_fixed_pools
from edgestill.models.resolution import Compress, reduce_resolution

OUTPUT = "logits"
_LACKING = re.compile(r"No ONNX function found for <OpOverload\(op='([^']+)'")


class _Student(nn.Module):
    """Whole inputs in the order of the shares; what the level leaves out of them is inside."""

    def __init__(self, module: nn.Module, shares: Mapping[str, float], compress: Compress) -> None:
        super().__init__()
        self.module, self.shares, self.compress = module, dict(shares), compress

    def forward(self, *inputs: Tensor) -> Tensor:
        given = dict(zip(self.shares, inputs, strict=True))
        logits: Tensor = self.module(self.compress(given, self.shares)).logits
        return logits


def write_onnx(
    module: nn.Module,
    shares: Mapping[str, float],
    shapes: Mapping[str, tuple[int, ...]],
    path: Path,
    *,
    batch: int | None,
    compress: Compress = reduce_resolution,
) -> None:
    """Write a module in evaluation mode as ONNX, in float32.

    Args:
        module: takes inputs by kind and returns an ``Output``; it stays as it is.
        shares: kind to its rate in (0, 1]; these kinds are the inputs, each whole, and the file
            compresses them itself.
        shapes: kind to the shape of one whole input.
        path: of the file, which is written over.
        batch: fixed number of samples; None lets each call choose.
        compress: makes partial modalities.

    Raises:
        InputError: the model has an operator that ONNX lacks, or cannot be traced.
    """
    # Traced with 1, a free batch would be taken for a fixed one.
    example = {kind: torch.zeros(batch or 2, *shapes[kind]) for kind in shares}
    fixed = with_fixed_pools(module, compress(example, shares))
    free = tuple({0: torch.export.Dim("batch")} for _ in shares)
    try:
        with _hushed():
            torch.onnx.export(
                _Student(fixed, shares, compress).eval(),
                tuple(example.values()),
                path,
                dynamo=True,
                input_names=list(shares),
                output_names=[OUTPUT],
                dynamic_shapes=None if batch else (free,),
                external_data=False,
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        raise InputError(_reason(error, batch)) from error
    if batch is None and _is_fixed(path):
        raise InputError(
            "--format onnx: the student fixes its batch, as len(inputs) does where "
            "inputs.shape[0] would not; give --batch 1"
        )


def finish(path: Path, metadata: Mapping[str, str]) -> None:
    """Add metadata to a file, and take out what an exporter says about its own source code."""
    import onnx

    model = onnx.load(path)
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _is_fixed(path: Path) -> bool:
    """Return whether an exporter has taken the example's batch for the only one."""
    import onnx

    shapes = [given.type.tensor_type.shape for given in onnx.load(path).graph.input]
    return any(not shape.dim[0].dim_param for shape in shapes)


def _reason(error: BaseException, batch: int | None) -> str:
    """Return one line of what an exporter says in fifty."""
    if (lacking := _LACKING.search(str(error))) is not None:
        return (
            f"--format onnx: the student uses the operator {lacking[1]}, which ONNX lacks; "
            "student.factory must build it of others"
        )
    cause = error.__cause__ or error
    said = next((line for line in str(cause).splitlines() if line.strip()), type(cause).__name__)
    again = "" if batch else ", or give --batch 1"
    return (
        f"--format onnx: the student cannot be traced: {said.strip()[:200]}; its forward must not "
        f"branch on values{again}"
    )


@contextlib.contextmanager
def _hushed() -> Iterator[None]:
    """Keep a tracer's own talk off the terminal; what matters of it is in its exception."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
