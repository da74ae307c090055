"""Random numbers: one seed, one stream per named purpose."""

from __future__ import annotations

import hashlib

import numpy as np


def stream(*names: str | int) -> np.random.Generator:
    """Return the generator that belongs to a tuple of names.

    Two calls with equal names give equal streams, in any process and in any order; different names give
    independent streams. So results do not depend on the number of workers.

    Parameters
    ----------
    *names
        Strings and integers that name the purpose, e.g. ``stream("bootstrap", seed)``.

    Returns
    -------
    numpy.random.Generator
    """
    text = "\x1f".join(f"{type(name).__name__}:{name}" for name in names)
    digest = hashlib.sha256(text.encode()).digest()
    words = [int.from_bytes(digest[k : k + 4], "little") for k in range(0, 32, 4)]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(words)))
