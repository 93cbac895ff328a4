"""The teacher's outputs on the public samples, computed once and kept by sample index."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from edgestill.codec import DTYPES, pack_symbols, quantize
from edgestill.data import Dataset
from edgestill.errors import RunError
from edgestill.knowledge.directions import user_means
from edgestill.knowledge.frames import (
    AFFINE,
    EMBEDDING,
    GRID,
    INPUT,
    LABELS,
    LOGITS,
    Array,
    SampleLayout,
    table_dtype,
)
from edgestill.knowledge.projection import Projection, project, reduce_width
from edgestill.knowledge.shared_space import reduce_together

FloatArray = NDArray[np.float32]
Positions = NDArray[np.int64]

BATCH_SIZE = 256
PROJECTIONS = "projections"


@dataclass(frozen=True, kw_only=True)
class KnowledgeBank:
    """What the teacher knows of M public samples.

    The inputs stay in the dataset, memory-mapped, and are read by index. Embeddings are reduced to
    the student's width by principal components, per kind, since that is what a student compares
    its own with.

    Attributes:
        dataset: where the samples are.
        indices: [M] into the dataset.
        logits: [M, K].
        embeddings: kind to [M, D], D being the student's width.
        projection: public; devices summarise their data in it.
        styles: [M, P], the mean projection of the sample's user, which says more of how a user
            differs than one sample does; the sample's own where users are not known.
    """

    dataset: Dataset
    indices: NDArray[np.int64]
    logits: FloatArray
    embeddings: Mapping[str, FloatArray]
    projection: Projection
    styles: FloatArray

    @classmethod
    def build(
        cls,
        model: nn.Module,
        dataset: Dataset,
        indices: NDArray[np.int64],
        projection: Projection,
        *,
        width: int,
        shared: bool = False,
        batch_size: int = BATCH_SIZE,
    ) -> "KnowledgeBank":
        """Run the teacher over public samples, in evaluation mode and without gradients.

        Args:
            model: gives ``Output(logits [B, K], embeddings kind to [B, D'], ...)``.
            dataset: of which the samples are.
            indices: [M] of public samples, M >= 1.
            projection: of inputs.
            width: D, of the student's embeddings.
            shared: whether the kinds' embeddings are told in one space or each in its own.
            batch_size: samples per forward pass.

        Raises:
            RunError: the teacher's outputs are not finite.
        """
        starts = range(0, len(indices), batch_size)
        portions = [indices[start : start + batch_size] for start in starts]
        outputs = [_outputs(model, dataset, portion, projection) for portion in portions]
        tables = {name: np.concatenate([part[name] for part in outputs]) for name in outputs[0]}
        if not all(np.isfinite(table).all() for table in tables.values()):
            raise RunError("the teacher's outputs on the public samples contain NaN or infinity")
        logits, projections = tables.pop(LOGITS), tables.pop(PROJECTIONS)
        return cls(
            dataset=dataset,
            indices=indices,
            logits=logits,
            embeddings=(
                reduce_together(tables, width)
                if shared
                else {kind: reduce_width(table, width) for kind, table in tables.items()}
            ),
            projection=projection,
            styles=_styles(projections, dataset, indices),
        )

    def __len__(self) -> int:
        """Return M."""
        return len(self.indices)

    @property
    def classes(self) -> int:
        """K."""
        return self.logits.shape[1]

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds with inputs and embeddings."""
        return tuple(self.embeddings)

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """True labels, [M]."""
        return np.asarray(self.dataset.labels[self.indices], dtype=np.int64)

    @cached_property
    def fingerprint(self) -> int:
        """Unsigned 32-bit name of these outputs, carried by the frames made of them."""
        value = zlib.crc32(self.indices.astype("<i8").tobytes())
        for table in (self.logits, *self.embeddings.values()):
            value = zlib.crc32(table.astype("<f4").tobytes(), value)
        return value

    def raw(self, kind: str, positions: Positions) -> Array:
        """Return inputs [n, *shape] as stored; dtypes that do not travel become float32."""
        array = self.dataset.arrays[kind][self.indices[positions]]
        travels = array.dtype.newbyteorder("<").str in DTYPES
        return np.asarray(array if travels else array.astype(np.float32))

    def layout(self, kinds: Sequence[str], bits: int = 8) -> SampleLayout:
        """Return how a sample of these kinds lies in bytes."""
        return self._layout(self._columns(np.empty(0, np.int64), kinds, bits), kinds, bits)

    def records(self, positions: Positions, kinds: Sequence[str], bits: int = 8) -> list[bytes]:
        """Return one record per sample, to be kept and joined by :meth:`SampleLayout.join`."""
        columns = self._columns(positions, kinds, bits)
        return self._layout(columns, kinds, bits).records(columns)

    def frame(self, positions: Positions, kinds: Sequence[str], bits: int = 8) -> bytes:
        """Return the frame of these samples, the same as joining their records.

        Args:
            positions: [n] in 0..M - 1, in any order.
            kinds: whose inputs and embeddings to send.
            bits: 4, 8 or 16 per number of the teacher's embeddings and logits.

        Raises:
            ValueError: bits unknown, or more than a frame holds.
        """
        columns = self._columns(positions, kinds, bits)
        return self._layout(columns, kinds, bits).frame(columns)

    def _columns(self, positions: Positions, kinds: Sequence[str], bits: int) -> dict[str, Array]:
        label_dtype = np.min_scalar_type(max(self.classes - 1, 0))
        columns: dict[str, Array] = {}
        for kind in kinds:
            columns[f"{kind}/{INPUT}"] = self.raw(kind, positions)
            columns[f"{kind}/{EMBEDDING}"] = self._packed(f"{kind}/{EMBEDDING}", bits)[0][positions]
        columns[LOGITS] = self._packed(LOGITS, bits)[0][positions]
        columns[LABELS] = self.labels[positions].astype(label_dtype)
        return columns

    def _layout(
        self, columns: Mapping[str, Array], kinds: Sequence[str], bits: int
    ) -> SampleLayout:
        tables = [*(f"{kind}/{EMBEDDING}" for kind in kinds), LOGITS]
        constants = {f"{table}/{GRID}": self._packed(table, bits)[1] for table in tables}
        for kind in kinds:
            modality = self.dataset.modalities[kind]
            constants[f"{kind}/{AFFINE}"] = np.array([modality.scale, modality.offset], np.float32)
        return SampleLayout.of(columns, constants, self.fingerprint)

    @cached_property
    def _packed_tables(self) -> dict[tuple[str, int], tuple[Array, FloatArray]]:
        return {}

    def _packed(self, table: str, bits: int) -> tuple[Array, FloatArray]:
        """Return a table of outputs as it travels and its grid, worked out on first use.

        One step for all samples, so that a sample's record does not depend on its neighbours.
        """
        key = (table, bits)
        if key not in self._packed_tables:
            values = self.logits if table == LOGITS else self.embeddings[table.rpartition("/")[0]]
            self._packed_tables[key] = _pack(values, bits)
        return self._packed_tables[key]


def _outputs(
    model: nn.Module, dataset: Dataset, indices: NDArray[np.int64], projection: Projection
) -> dict[str, FloatArray]:
    """Return the teacher's embeddings by kind, its logits and the inputs' projections."""
    inputs = dataset.inputs(indices)
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        output = model({kind: torch.from_numpy(array) for kind, array in inputs.items()})
    model.train(was_training)
    tables = {kind: tensor.float().numpy() for kind, tensor in output.embeddings.items()}
    return {
        **tables,
        LOGITS: output.logits.float().numpy(),
        PROJECTIONS: project(projection, inputs, dataset.labels[indices]),
    }


def _styles(projections: FloatArray, dataset: Dataset, indices: NDArray[np.int64]) -> FloatArray:
    if dataset.users is None:
        return projections
    return user_means(projections, dataset.users[indices]).astype(np.float32)


def _pack(values: FloatArray, bits: int) -> tuple[Array, FloatArray]:
    dtype, _ = table_dtype(values.shape[1], bits)
    if bits == 16:
        limit = np.finfo(np.float16).max
        packed: Array = np.clip(values, -limit, limit).astype(dtype)
        return packed, np.array([bits, values.shape[1], 1.0], np.float32)
    symbols, step = quantize(values, bits)
    return pack_symbols(symbols, bits), np.array([bits, values.shape[1], step], np.float32)
