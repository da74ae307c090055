"""Scheduling policies and the engines that run them. `algos.registry.card` gives a policy's card by its id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from os import PathLike

    from algos.card import Card
    from algos.packed import PackedSchedules
    from kvratio.problem.batch import InstanceBatch
    from kvratio.problem.instance import Instance
    from kvratio.problem.plugins import Plugin
    from kvratio.problem.schedule import Schedule


def schedule(
    inst: Instance,
    policy: str | PathLike[str] | Card | Plugin,
    eviction: str | None = None,
    seed: int = 0,
    round_limit: int | None = None,
    **params: Any,
) -> Schedule:
    """Run a policy on an instance in unit rounds.

    Parameters
    ----------
    inst : Instance
    policy : str, path, Card or Plugin
        Id such as ``"gsa"`` (`policy_ids` lists them); for a policy of your own ``"./my_policy.py"``,
        ``"my_policy.py:name"``, ``"module:name"``, the name of an entry point of ``kvratio.policies``, or its card.
    eviction : {"restart", "recompute", "swap"}, optional
        What an eviction costs; default: the card's.
    seed : int
        For randomised policies.
    round_limit : int, optional
        Rounds after which the run is taken for endless; default at least 10^8.
    **params
        The policy's parameters (`kvratio info POLICY`).

    Returns
    -------
    Schedule

    Raises
    ------
    UnknownName, BadParameter
        For a policy, parameter or semantics that does not exist.
    PolicyError, RoundLimit
        When the policy does what the model forbids, or does not end.

    Examples
    --------
    >>> from kvratio import Instance, schedule
    >>> schedule(Instance(prompt=[2, 2, 2, 2], output=[5, 1, 3, 2], memory=12), "gsa", alpha=2).total_completion
    29
    """
    from algos.registry import card
    from algos.run import run_schedule

    return run_schedule(card(policy), inst, eviction, seed, round_limit, params)


def schedule_batch(
    batch: InstanceBatch,
    policy: str | PathLike[str] | Card | Plugin,
    eviction: str | None = None,
    seed: int = 0,
    round_limit: int | None = None,
    **params: Any,
) -> PackedSchedules:
    """Run a policy on many small instances in one compiled call; parameters as for `schedule`.

    Returns
    -------
    PackedSchedules
        Completions, totals and evictions per instance; a nonzero code marks an instance whose run failed.
    """
    from algos.packed import run_batch
    from algos.registry import card

    return run_batch(card(policy), batch, eviction, seed, round_limit, params)


def policy_ids() -> tuple[str, ...]:
    """Return the ids of all policies, sorted."""
    from algos import registry

    return registry.policy_ids()
