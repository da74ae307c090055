"""Orders read off the time-indexed linear program (sorted_lp, lp_swap)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from algos.batches.order import sorted_f_order
from algos.card import Card, Parameter
from algos.papers import WANG
from algos.policies import list_order
from algos.policies.list_order import SKIP
from algos.policies.sorted_f import EXACT_LIMIT
from algos.run import Outcome, default_round_limit, run_events
from kvratio.problem.errors import BadParameter
from kvratio.problem.instance import Instance, IntArray

#: requests of one batch whose linear program is still solved
LARGEST_BATCH = 200
#: how much smaller a neighbour's key must be for a swap
SWAP_MARGIN = 1e-6
DECIMALS = 6

Settings = Mapping[str, Any]
_LIST = next(card for card in list_order.CARDS if card.id == "mc_sf")


def run_sorted_lp(
    inst: Instance, settings: Settings, seed: int, eviction: str, record: int, limit: int, *, card: Card
) -> Outcome:
    """Run the list loop by (mean start in the LP, predicted length, index), batch after batch."""
    return _run_batches(inst, settings, eviction, record, limit, card, _lp_order)


def run_lp_swap(
    inst: Instance, settings: Settings, seed: int, eviction: str, record: int, limit: int, *, card: Card
) -> Outcome:
    """Run the list loop in sorted_f's order after swaps towards the LP's, batch after batch."""
    return _run_batches(inst, settings, eviction, record, limit, card, _swapped_order)


# -- the two orders -------------------------------------------------------------------------------------------------
def _lp_order(believed: Instance, settings: Settings) -> IntArray:
    return np.lexsort((believed.output, _lp_keys(believed))).astype(np.int64)


def _swapped_order(believed: Instance, settings: Settings) -> IntArray:
    """Swap neighbours towards the LP's order while the list schedule costs no more."""
    keys = _lp_keys(believed)
    order = sorted_f_order(believed.prompt, believed.output, believed.memory, settings["exact_limit"])
    cost = _list_completions(believed, order, settings["skip"]).sum()
    for _ in range(believed.n):
        changed = False
        for place in range(believed.n - 1):
            if keys[order[place + 1]] >= keys[order[place]] - SWAP_MARGIN:
                continue
            swapped = order.copy()
            swapped[place], swapped[place + 1] = order[place + 1], order[place]
            new_cost = _list_completions(believed, swapped, settings["skip"]).sum()
            if new_cost <= cost:
                order, cost, changed = swapped, new_cost, True
        if not changed:
            break
    return order


def _lp_keys(believed: Instance) -> npt.NDArray[np.float64]:
    """Return sum_t t x_it of the relaxation whose horizon is the makespan of mc_sf, rounded, float64[n]."""
    from lowerbounds.lp import starts_lp

    by_length = np.argsort(believed.output, kind="stable")
    horizon = int(_list_completions(believed, by_length, skip=False).max())
    return np.array([round(float(start), DECIMALS) for start in starts_lp(believed, horizon)])


def _believe(inst: Instance) -> Instance:
    """Return the batch as planned: the predictions are its outputs."""
    return Instance(np.array(inst.prompt), inst.clamp(inst.predicted), inst.memory)


def _list_completions(believed: Instance, order: IntArray, skip: bool) -> IntArray:
    limit = default_round_limit(believed)
    return run_events(believed, {"skip": skip}, 0, "restart", 0, limit, card=_list_card(_LIST.id, order)).completion


def _list_card(policy: str, order: IntArray) -> Card:
    """Return the list policy that goes by a given order of all requests."""
    position = np.empty(len(order), np.int64)
    position[order] = np.arange(len(order))
    return replace(_LIST, id=policy, key=lambda known, params: position)


# -- batches --------------------------------------------------------------------------------------------------------
def _run_batches(
    inst: Instance,
    settings: Settings,
    eviction: str,
    record: int,
    limit: int,
    card: Card,
    find_order: Callable[[Instance, Settings], IntArray],
) -> Outcome:
    """Take all that wait whenever nothing runs, and run the list loop on them to the end (docs/policies.md, section 1).

    A batch begins at the completion of the last one or, with nobody waiting, at the next arrival.
    """
    completion, start, first_start = (np.empty(inst.n, np.int64) for _ in range(3))
    by_arrival = np.argsort(inst.arrival, kind="stable")
    arrivals = inst.arrival[by_arrival]
    counters = np.zeros(6, np.int64)  # attempts to epochs, as Outcome has them
    logs = [np.empty((0, 4), np.int64)]
    now = done = 0
    while done < inst.n:
        now = max(now, int(arrivals[done]))
        stop = int(np.searchsorted(arrivals, now, side="right"))
        batch = np.sort(by_arrival[done:stop])
        _check_size(card.id, len(batch), now)
        part = inst.subset(batch).replace(arrival=None)
        worker = _list_card(card.id, find_order(_believe(part), settings))
        out = run_events(part, {"skip": settings["skip"]}, 0, eviction, record, limit - now, card=worker)
        for column, values in zip((completion, start, first_start), out[:3], strict=True):
            column[batch] = values + now
        counters += out[3:9]
        if record:
            log = out.log[: out.attempts]
            logs.append(np.column_stack([batch[log[:, 0]], log[:, 1] + now, log[:, 2] + now, log[:, 3]]))
        now = int(completion[batch].max())
        done = stop
    attempts, evictions, wasted_rounds, wasted_token_rounds, recomputed, epochs = (int(x) for x in counters)
    times = completion, start, first_start
    lost = evictions, wasted_rounds, wasted_token_rounds, recomputed
    return Outcome(*times, attempts, *lost, epochs, np.concatenate(logs))


def _check_size(policy: str, size: int, now: int) -> None:
    if size > LARGEST_BATCH:
        raise BadParameter(
            f"{policy}: {size} requests form a batch at epoch {now}, and its linear program is solved for at most "
            f"{LARGEST_BATCH}: use a smaller instance, or sorted_f"
        )


def _record_solver(inst: Instance, params: dict[str, Any]) -> dict[str, Any]:
    """Write down who chose the LP's vertex: the order depends on it."""
    from lowerbounds.lp import solver_version

    return {**params, "solver": solver_version()}


def _lp_card(
    policy: str, title: str, about: str, run: Callable[..., Outcome], parameters: tuple[Parameter, ...]
) -> Card:
    return Card(
        id=policy,
        title=title,
        family="list",
        information="prediction",
        arrivals="batch rule",
        evicts="if a prediction is too low",
        about=about,
        reference="2508.06133",
        source=WANG,
        parameters=parameters,
        resolve=_record_solver,
        run=run,
    )


CARDS = (
    _lp_card(
        "sorted_lp",
        "Sorted by the LP",
        "Lists requests by their mean start in the linear relaxation, whose horizon is the makespan of mc_sf. The "
        "order depends on which optimal vertex the solver returns; at most 200 requests a batch, "
        "fewer with long outputs (3,000,000 LP entries). The name is "
        "published, the details are ours.",
        run_sorted_lp,
        (SKIP,),
    ),
    _lp_card(
        "lp_swap",
        "Sorted-F with swaps by the LP",
        "Starts with sorted_f's order and swaps neighbours that the linear relaxation starts the other way round, "
        "while the list schedule costs no more. At most 200 requests a batch, "
        "fewer with long outputs. The name is published, the details are "
        "ours.",
        run_lp_swap,
        (SKIP, EXACT_LIMIT),
    ),
)
