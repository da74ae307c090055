"""The serving model: requests that arrive over time, iterations that take time. `simulate` runs a policy on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from algos.serving.cards import ServingCard
    from kvratio.problem.clock import Clock, RooflineClock
    from kvratio.problem.instance import Instance
    from kvratio.problem.requests import Requests
    from kvratio.problem.service import Run


def simulate(
    requests: Requests | Instance,
    policy: str | ServingCard,
    clock: Clock | RooflineClock | str,
    memory: int,
    eviction: str | None = None,
    seed: int = 0,
    *,
    cut: float | None = None,
    block: int = 1,
    log: bool = False,
    gaps: bool = False,
    **params: Any,
) -> Run:
    """Serve requests by a policy on one worker in continuous time.

    Parameters
    ----------
    requests : Requests or Instance
        Of an instance, rounds count as seconds where it has no arrival times in seconds.
    policy : str or ServingCard
        Id such as ``"vllm"``; `policy_ids` lists them.
    clock : Clock, RooflineClock or str
        How long an iteration takes; a text names a preset.
    memory : int
        C, tokens of key-value memory.
    eviction : {"restart", "recompute", "swap"}, optional
        What an eviction costs; default: the card's.
    seed : int
        For randomised policies; there is none yet.
    cut : float, optional
        Seconds at which the world stops. Default: when everything has completed, at the latest at
        max(1.5 T, T + 4 x the time of serving everything one by one), T the last arrival.
    block : int
        Memory is handed out in blocks of so many tokens.
    log : bool
        Write the iterations down.
    gaps : bool
        Keep every gap between successive tokens, four bytes each (`Run.token_gaps`).
    **params
        The policy's parameters.

    Returns
    -------
    Run

    Raises
    ------
    UnknownName, BadParameter
        For a policy, preset, parameter or eviction rule that does not exist, or a value outside its range.

    Examples
    --------
    >>> from kvratio.problem.clock import Clock
    >>> from kvratio.problem.requests import Requests
    >>> both = Requests(prompt=[2, 2], output=[2, 2], arrival=[0, 0])
    >>> simulate(both, "fcfs", Clock(1.0, 0.0), memory=7).completion.tolist()
    [3.0, 5.0]
    """
    from algos.serving.registry import card
    from algos.serving.run import run_requests

    return run_requests(card(policy), requests, clock, memory, eviction, seed, cut, block, log, gaps, params)


def policy_ids() -> tuple[str, ...]:
    """Return the ids of all serving policies, sorted."""
    from algos.serving import registry

    return registry.policy_ids()


def card(policy: str | ServingCard) -> ServingCard:
    """Return a serving policy's card by id; `UnknownName` when there is none."""
    from algos.serving import registry

    return registry.card(policy)
