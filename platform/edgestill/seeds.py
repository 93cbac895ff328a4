"""Random streams that do not depend on the number of actors or on the order of work.

Every stream is derived from (run seed, purpose, round, device), so a device that is run again,
on another actor or after a resume, draws the same numbers.
"""

import hashlib

import numpy as np


def derive_seed(run_seed: int, purpose: str, *, round_number: int = 0, device: int = 0) -> int:
    """Return a 63-bit seed for one purpose of one device in one round.

    Args:
        run_seed: the run's own seed, any integer.
        purpose: what the numbers are for, such as ``"batches"``; two purposes never share a stream.
        round_number: round, from 0.
        device: device index, from 0.
    """
    text = f"{run_seed}/{purpose}/{round_number}/{device}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") >> 1


def generator(
    run_seed: int, purpose: str, *, round_number: int = 0, device: int = 0
) -> np.random.Generator:
    """Return numpy's generator seeded by :func:`derive_seed`."""
    return np.random.default_rng(
        derive_seed(run_seed, purpose, round_number=round_number, device=device)
    )
