"""What a capacity question answers."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from stability.capacity.burst import Burst


@dataclass(frozen=True)
class Capacity:
    """Capacity of one worker, and how many of them a rate needs.

    Attributes
    ----------
    mean_area : float
        E[g], token-slots.
    mu : float
        ``M / (b E[g])`` requests per second: above it nothing is stable, whatever the policy.
    delta : float
        ``max(s+o) / M``.
    safe_rate : float
        ``mu (1 - delta)``: below it every work-conserving continuous-batching policy is stable whose evictions cost
        nothing and keep progress.
    slot_seconds : float
        b.
    slot_source : str
        Where b comes from.
    rate : float or None
        Arrivals per second; None where neither the caller nor the trace tells one.
    load : float or None
        ``rate / mu``, of one worker.
    utilisation : float
        Share of mu that is planned for.
    gpus : int or None
        Workers at that utilisation, ``ceil(rate / (mu utilisation))``.
    least_gpus : int or None
        ``ceil(rate / mu)``: below, nothing can help.
    gpus_safe : int or None
        Fewest workers that bring the rate of each below the safe rate; None too where the safe rate is 0.
    floor : float
        ``M / (b max(o) max(s+o))`` requests per second: what evictions that lose all work leave at least, for any mix.
    floor_with_prefill : float
        The same with the slots that read prompts counted, ``M / (b max(n+o) max(s+o))``.
    gpus_floor : int or None
        Workers if each carried only the floor.
    worst_rate : float
        ``M / (b o (s+o))`` at the mean lengths: the worst cycle of requests that are all alike.
    worst_with_prefill : float
        The same with the slots that read the prompt counted.
    gpus_worst : int or None
        Workers if each carried only that; None too where it is not below mu, so that it says nothing of this mix.
    near_equal : bool
        Whether lengths are so alike that the worst cycle is to be expected (standard deviation at most a tenth of the
        mean, of o and of s+o).
    output_variation : float
        Standard deviation over mean of the outputs.
    memory, chunk : float
        M and c in tokens.
    exact : bool
        Which form of the area.
    mean_prompt, mean_output : float
        Tokens.
    largest, longest_output : float
        max(s+o) and max(o) in tokens.
    product_area : float or None
        For a joint sample: E[g] if prompt and output were independent.
    burst : Burst or None
        For a trace with times: its worst minute, on ``gpus`` workers.
    warnings : tuple of str
        One line each, with its number.
    """

    mean_area: float
    mu: float
    delta: float
    safe_rate: float
    slot_seconds: float
    slot_source: str
    rate: float | None
    load: float | None
    utilisation: float
    gpus: int | None
    least_gpus: int | None
    gpus_safe: int | None
    floor: float
    floor_with_prefill: float
    gpus_floor: int | None
    worst_rate: float
    worst_with_prefill: float
    gpus_worst: int | None
    near_equal: bool
    output_variation: float
    memory: float
    chunk: float
    exact: bool
    mean_prompt: float
    mean_output: float
    largest: float
    longest_output: float
    product_area: float | None = None
    burst: Burst | None = None
    warnings: tuple[str, ...] = field(default=())

    @property
    def restart_rate(self) -> float:
        """What restarts leave, with prompts' slots counted: the worst cycle of near-equal lengths, else the floor."""
        return self.worst_with_prefill if self.near_equal else self.floor_with_prefill

    @property
    def per_slot(self) -> float:
        """Requests that a full memory finishes per slot, ``M / E[g]``."""
        return self.memory / self.mean_area

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain data."""
        return asdict(self)
