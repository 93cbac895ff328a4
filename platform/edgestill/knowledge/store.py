"""A knowledge bank on disk: safetensors, nothing that can run code."""

import os
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from edgestill.data import Dataset
from edgestill.errors import CheckpointError
from edgestill.knowledge.bank import KnowledgeBank
from edgestill.knowledge.frames import Array
from edgestill.knowledge.projection import Projection

SCHEMA = "edgestill.bank/2"
_EMBEDDING, _BASIS, _CENTRES = "embeddings/", "projection/basis/", "projection/centres"


def save_bank(bank: KnowledgeBank, path: Path) -> None:
    """Write the bank without the inputs, which stay in the dataset; the file appears whole."""
    tensors = {
        "indices": bank.indices,
        "logits": bank.logits,
        "styles": bank.styles,
        _CENTRES: bank.projection.centres,
        **{f"{_BASIS}{kind}": block for kind, block in bank.projection.blocks().items()},
        **{f"{_EMBEDDING}{kind}": table for kind, table in bank.embeddings.items()},
    }
    metadata = {
        "schema": SCHEMA,
        "dataset": bank.dataset.digest,
        "projection_kinds": ",".join(bank.projection.kinds),
        "kinds": ",".join(bank.kinds),
    }
    contiguous = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    partial = path.with_suffix(f"{path.suffix}.partial")
    partial.write_bytes(save(contiguous, metadata))
    os.replace(partial, path)


def load_bank(path: Path, dataset: Dataset) -> KnowledgeBank:
    """Read a bank that was made from this dataset.

    Raises:
        CheckpointError: missing, damaged, of another schema, or made from another dataset.
    """
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            names = file.keys()
            tensors: dict[str, Array] = {name: file.get_tensor(name) for name in names}
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: cannot be read as a knowledge bank: {error}") from error
    if metadata.get("schema") != SCHEMA:
        raise CheckpointError(f"{path}: expected schema {SCHEMA}, got {metadata.get('schema')}")
    if metadata.get("dataset") != dataset.digest:
        raise CheckpointError(
            f"{path}: made from dataset {metadata.get('dataset')}; this one is {dataset.digest}"
        )
    try:
        bank = _assemble(tensors, metadata, dataset)
    except KeyError as error:
        raise CheckpointError(f"{path}: lacks {error}") from error
    _check(path, bank)
    return bank


def _assemble(
    tensors: dict[str, Array], metadata: dict[str, str], dataset: Dataset
) -> KnowledgeBank:
    return KnowledgeBank(
        dataset=dataset,
        indices=tensors["indices"],
        logits=tensors["logits"],
        embeddings={kind: tensors[f"{_EMBEDDING}{kind}"] for kind in metadata["kinds"].split(",")},
        projection=Projection.of(
            {kind: tensors[f"{_BASIS}{kind}"] for kind in metadata["projection_kinds"].split(",")},
            tensors[_CENTRES],
        ),
        styles=tensors["styles"],
    )


def _check(path: Path, bank: KnowledgeBank) -> None:
    tables = {"logits": bank.logits, "styles": bank.styles, **bank.embeddings}
    for name, table in tables.items():
        if table.ndim != 2 or len(table) != len(bank):
            raise CheckpointError(f"{path}: {name} has shape {table.shape} for {len(bank)} samples")
    if len(bank) and not 0 <= bank.indices.min() <= bank.indices.max() < len(bank.dataset.labels):
        raise CheckpointError(f"{path}: indices lie outside the dataset")
