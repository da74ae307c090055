"""Policies for the tests of adaptive families: list-greedy as a callable Instance -> Schedule."""

from functools import partial

import numpy as np

from instances.list_greedy import list_greedy
from kvratio.problem import Instance, Schedule


def greedy(inst: Instance, key: str = "mc_sf") -> Schedule:
    """Run list-greedy."""
    return Schedule.from_starts(inst, list_greedy(inst, key), policy=key)


MC_SF = partial(greedy, key="mc_sf")
FCFS = partial(greedy, key="fcfs")


def patient(delay: int):
    """Return the policy that starts nothing before ``delay``, then runs list-greedy by arrival."""

    def run(inst: Instance) -> Schedule:
        late = inst.replace(arrival=np.maximum(inst.arrival, delay), witness=None)
        return Schedule.from_starts(inst, list_greedy(late, "fcfs"), policy=f"patient_{delay}")

    return run
