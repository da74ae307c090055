"""Running a policy with more memory or more speed than the optimum it is compared with.

An instance made by the family ``augmentation`` keeps its memory M: bounds and witness use it as it is. The policy
runs on `policy_instance` instead, and `policy_completion` translates its completions back into rounds of the
instance.

Memory: the policy has floor((1 + e) M + 1e-9); rounds are the same.
Speed: the policy makes 1 + e tokens a round, as extra rounds by an accumulator: t rounds of the instance are
``ticks(t) = t + floor(e t + 1e-9)`` rounds of the policy. A request that arrives at a is there from tick ticks(a);
what ends at tick c has ended in the first round t with ticks(t) >= c.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kvratio.problem.errors import BadParameter
from kvratio.problem.instance import Instance, IntArray
from kvratio.problem.schedule import Schedule

MODES = ("memory", "speed")
#: entries of ``Instance.info`` that say what the policy runs with
AUGMENTED = ("augmentation", "policy_memory", "policy_extra")


def augmented_memory(memory: int, extra: float) -> int:
    """Return floor((1 + extra) memory + 1e-9)."""
    return int(np.floor((1 + extra) * memory + 1e-9))


def ticks(epoch: npt.ArrayLike, extra: float) -> IntArray:
    """Return how many policy rounds have passed by each epoch of the instance, at speed 1 + extra."""
    t = np.asarray(epoch, dtype=np.int64)
    return t + np.floor(extra * t + 1e-9).astype(np.int64)


def epoch_of_tick(tick: npt.ArrayLike, extra: float) -> IntArray:
    """Return the first epoch t with ticks(t) >= tick: what ends at this tick has ended in round t."""
    c = np.asarray(tick, dtype=np.int64)
    t = np.maximum(0, np.floor(c / (1 + extra)).astype(np.int64) - 1)
    while (late := ticks(t, extra) < c).any():
        t = t + late
    return t


def policy_instance(inst: Instance) -> Instance:
    """Return the instance that the policy runs on; an instance without augmentation is returned as it is.

    Raises
    ------
    BadParameter
        The instance's info asks for an unknown mode.
    """
    mode = inst.info.get("augmentation")
    if mode is None:
        return inst
    if mode == "memory":
        return inst.replace(memory=inst.info["policy_memory"])
    if mode == "speed":
        return inst.replace(arrival=ticks(inst.arrival, inst.info["policy_extra"]), witness=None)
    raise BadParameter(f"augmentation is {mode!r}: choose one of {', '.join(MODES)}")


def policy_completion(inst: Instance, schedule: Schedule) -> IntArray:
    """Return the policy's completions in rounds of ``inst``, int64[n]; ``schedule`` is of `policy_instance`."""
    if inst.info.get("augmentation") != "speed":
        return schedule.completion
    return epoch_of_tick(schedule.completion, inst.info["policy_extra"])


def policy_flow(inst: Instance, schedule: Schedule) -> int:
    """Return the policy's total flow in rounds of ``inst``."""
    return int((policy_completion(inst, schedule) - inst.arrival).sum())


__all__ = [
    "AUGMENTED",
    "MODES",
    "augmented_memory",
    "epoch_of_tick",
    "policy_completion",
    "policy_flow",
    "policy_instance",
    "ticks",
]
