"""Decoding in another process, with another number of threads and other kernels of the library.

Run as a program: ``python -m edgestill.jobs.benchmarks.codec.elsewhere FOLDER``. It decodes each
frame of the folder with the codec beside it and writes what it got.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from edgestill.codec.frozen import FrozenCodec
from edgestill.errors import FrameError, RunError

ELSEWHERES = {
    "4 threads": {"OMP_NUM_THREADS": "4", "OPENBLAS_NUM_THREADS": "4"},
    "4 threads, kernels of 2008": {
        "OMP_NUM_THREADS": "4",
        "OPENBLAS_NUM_THREADS": "4",
        # Sums in another order and without fused products, as an old machine does them.
        "OPENBLAS_CORETYPE": "Nehalem",
    },
}
WITHIN_S = 120.0


def mismatches(codec: FrozenCodec, frames: Sequence[bytes], where: str) -> int:
    """Return how many frames another process decodes to other bits, or not at all.

    Raises:
        RunError: the process failed.
    """
    with TemporaryDirectory(prefix="edgestill-bench-") as name:
        folder = Path(name)
        codec.save(folder / "codec.safetensors")
        for number, frame in enumerate(frames):
            (folder / f"{number}.frame").write_bytes(frame)
        _run(folder, where)
        return sum(
            _there(folder / f"{number}.npy") != codec.decode(frame).tobytes()
            for number, frame in enumerate(frames)
        )


def decode_folder(folder: Path) -> None:
    """Decode each frame; one that is refused leaves no file."""
    codec = FrozenCodec.load(folder / "codec.safetensors")
    for path in folder.glob("*.frame"):
        try:
            np.save(path.with_suffix(".npy"), codec.decode(path.read_bytes()))
        except FrameError as error:
            print(f"{path.name}: {error}", file=sys.stderr)


def _there(path: Path) -> bytes | None:
    return np.asarray(np.load(path)).tobytes() if path.exists() else None


def _run(folder: Path, where: str) -> None:
    environment = {**os.environ, **ELSEWHERES[where], "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", __name__, str(folder)]
    try:
        subprocess.run(  # noqa: S603 - our own program
            command, env=environment, check=True, capture_output=True, timeout=WITHIN_S
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        said = (error.stderr or b"").decode(errors="replace").strip().splitlines()
        raise RunError(f"decoding with {where} failed: {said[-1:] or error}") from error


if __name__ == "__main__":
    decode_folder(Path(sys.argv[1]))
