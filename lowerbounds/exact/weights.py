"""The final prices of a search, per state and round: what its `profile` certificate is made of."""

from __future__ import annotations

from typing import Any

import numpy as np

from lowerbounds.exact.jobs import Jobs
from lowerbounds.exact.tables import PriceTable

#: the certificate's denominator: rounding down a price costs less than its inverse
FINENESS = 4096


def state_prices(jobs: Jobs, table: PriceTable) -> dict[str, Any]:
    """Return ``denominator``, ``states`` [[m, r], ..] and ``prices`` (a row of integers for each round from 1 on).

    Any prices per state and round bound the cost of every schedule from below (`lowerbounds.recheck_profile`), so
    those of all rows of a table are added up.
    """
    Q = min(FINENESS, table.denominator)
    W = np.zeros((table.priced.shape[0], len(jobs.state_left)), np.int64)
    W[:, jobs.state_of] = table.priced // (table.denominator // Q)
    used = np.flatnonzero(W.any(axis=1))
    W = W[1 : (int(used[-1]) if used.size else 0) + 1]
    states = np.stack([jobs.state_memory, jobs.state_left], axis=1).tolist()
    return {"denominator": Q, "states": states, "prices": W.tolist()}
