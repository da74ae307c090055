"""Storage of the labels of one round."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lowerbounds.exact.layers import HEAD, compress, rehash

IntArray = npt.NDArray[np.int64]


class Shard:
    """Labels of one round whose sets hash alike, growing, with the chains that find labels of equal set."""

    def __init__(self, width: int, capacity: int = 1 << 12) -> None:
        self.head = np.empty((capacity, HEAD), np.int64)
        self.body = np.empty((capacity, width), np.int32)
        self.chain = np.empty(capacity, np.int64)
        self.table = np.full(2 * capacity, -1, np.int64)
        self.size = 0

    @property
    def bytes(self) -> int:
        """Memory taken by the arrays."""
        return self.head.nbytes + self.body.nbytes + self.chain.nbytes + self.table.nbytes

    @property
    def bounds(self) -> IntArray:
        """Bounds of the labels, times Q, int64[size]."""
        return self.head[: self.size, 6]

    def reserve(self, more: int) -> None:
        """Make room for ``more`` labels."""
        capacity = len(self.head)
        if self.size + more <= capacity:
            return
        capacity = max(2 * capacity, self.size + more)
        for name in ("head", "body"):
            old = getattr(self, name)
            new = np.empty((capacity, old.shape[1]), old.dtype)
            new[: self.size] = old[: self.size]
            setattr(self, name, new)
        slots = len(self.table)
        while slots < 2 * capacity:
            slots *= 2
        self.chain = np.empty(capacity, np.int64)
        self.table = np.full(slots, -1, np.int64)
        rehash(self.head, self.size, self.table, self.chain)

    def finish(self) -> None:
        """Drop dominated labels and the chains."""
        self.size = int(compress(self.head, self.body, self.size))
        self.chain, self.table = np.empty(0, np.int64), np.empty(0, np.int64)

    def select(self, which: IntArray) -> None:
        """Keep the labels of these ascending indices."""
        self.size = len(which)
        self.head[: self.size], self.body[: self.size] = self.head[which], self.body[which]
