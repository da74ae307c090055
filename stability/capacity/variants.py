"""How far mu moves when an input is somewhat wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stability.capacity.checks import arrival_rate, chunk_tokens, memory_tokens, share_of_mu
from stability.capacity.fleets import gpus_needed
from stability.capacity.lengths import Lengths, as_lengths, means, top_tenth
from stability.capacity.seconds import IterationModel, SlotTime, slot_time


@dataclass(frozen=True)
class Variant:
    """Capacity with one input changed.

    Attributes
    ----------
    what : str
        The change, for people.
    mu : float
        Requests per second.
    change : float
        Of mu, as a share.
    gpus : int or None
        Workers at the utilisation asked for.
    note : str
        What else the change does.
    """

    what: str
    mu: float
    change: float
    gpus: int | None
    note: str = ""


def sensitivity(
    lengths: Any,
    memory: float,
    slot_seconds: float | SlotTime | None = None,
    *,
    chunk: int = 512,
    exact: bool = False,
    iteration_model: IterationModel | None = None,
    rate: float | None = None,
    utilisation: float = 0.9,
) -> tuple[Variant, ...]:
    """Return mu with seconds per slot and memory 10 % up and down, and with the longest outputs twice as frequent.

    Parameters
    ----------
    lengths, memory, slot_seconds, chunk, exact, iteration_model, utilisation
        Of `capacity`. With an iteration model, b follows the memory and the lengths; "slots 10 % longer" scales it.
    rate : float, optional
        Requests per second, for the counts of workers.

    Returns
    -------
    tuple of Variant
        The first is the question as it was asked.

    Notes
    -----
    "Heavier outputs": requests whose output is at or above the 90th percentile come twice as often, and all shares are
    brought back to sum 1.
    """
    budget, piece, target = memory_tokens(memory), chunk_tokens(chunk), share_of_mu(utilisation)
    asked = None if rate is None else arrival_rate(rate)
    who = as_lengths(lengths)
    beyond = top_tenth(who.outputs())
    # A slot time that was given stays as it is; only a model follows the memory and the lengths.
    given: Any = (slot_seconds, iteration_model)

    def mu_of(lengths: Lengths, tokens: float, factor: float = 1.0) -> float:
        found = means(lengths, piece, exact)
        return tokens / (factor * slot_time(found, tokens, *given).seconds * found.area)

    base = mu_of(who, budget)
    tight = f"requests of up to {who.largest:g} tokens no longer fit" if who.largest > 0.9 * budget else ""
    rows = (
        ("as asked", base, ""),
        ("slots 10 % longer", mu_of(who, budget, 1.1), ""),
        ("slots 10 % shorter", mu_of(who, budget, 0.9), ""),
        ("memory 10 % larger", mu_of(who, 1.1 * budget), ""),
        ("memory 10 % smaller", mu_of(who, 0.9 * budget), tight),
        (f"outputs of {beyond:g} tokens and more twice as frequent", mu_of(who.heavier(beyond), budget), ""),
    )
    return tuple(
        Variant(what, mu, mu / base - 1, None if asked is None else gpus_needed(asked, mu, target), note)
        for what, mu, note in rows
    )
