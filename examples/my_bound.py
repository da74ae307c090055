"""A bound of one's own: the squashed area, each sum rounded up, and no request done before its own rounds."""

import numpy as np

from kvratio import Certificate, Instance
from lowerbounds import BoundCard, Claim


def prove(inst: Instance, certify: bool = True) -> Claim:
    """Return sum over j of max(ceil(V_j / M), j-th smallest a + o), V_j the total of the j smallest volumes."""
    areas = np.cumsum(np.sort(inst.volume))
    earliest = np.sort(inst.arrival + inst.output)
    lower = int(np.maximum(-(-areas // inst.memory), earliest).sum())
    data = {"objective": "completion", "numerator": lower, "denominator": 1, "rounding_bits": 0}
    return Claim(lower, (Certificate("LB1r", "lower", data),) if certify else ())


BOUND = BoundCard(
    id="rounded_area",
    title="Squashed area, rounded up",
    about="j requests need V_j / M rounds in all, since a round holds M units of volume.",
    source="arXiv 2606.22327; the rounding is derived in docs/bounds.md",
    prove=prove,
    options={"certify": True},
)
