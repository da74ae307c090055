"""What a reader of a capacity must be told, one line each, with its number."""

from __future__ import annotations

from stability.capacity.result import Capacity

#: delta above which the safe rate says little
LARGE_DELTA = 0.2
#: share by which the product of marginals may be off unmentioned
DEPENDENCE = 0.01
#: who can tell
ASK = "kvratio stability decides"


def cautions(found: Capacity) -> tuple[str, ...]:
    """Return the warnings of a result, the general ones first."""
    lines = (_delta(found), _proven(found), eviction(found), _burst(found), _dependence(found))
    return tuple(line for line in lines if line)


def _delta(found: Capacity) -> str:
    if found.delta <= LARGE_DELTA:
        return ""
    return (
        f"delta = {found.delta:.3f} > {LARGE_DELTA}: the safe rate says little, since the longest request "
        f"({found.largest:.0f} tokens) alone fills {found.delta:.0%} of the memory; lean on simulation"
    )


def _proven(found: Capacity) -> str:
    """Whether the planned number of workers is in the range between the safe rate and mu."""
    if found.rate is None or found.gpus is None:
        return ""
    each = found.rate / found.gpus
    if each < found.safe_rate:
        return ""
    proven = "no number of workers is proven safe" if found.gpus_safe is None else f"proven from {found.gpus_safe} on"
    return (
        f"with {counted(found.gpus)} each gets {each:.4g} requests/s, between the safe rate {found.safe_rate:.4g} and "
        f"mu {found.mu:.4g}: stability is not decided there; {proven}"
    )


def eviction(found: Capacity) -> str:
    """Return the warning on restart semantics: the rates that then hold and what they cost in workers."""
    floor = _level(found.floor, found.floor_with_prefill, found.gpus_floor)
    worst = f"T_worst = {_level(found.worst_rate, found.worst_with_prefill, found.gpus_worst)}"
    varied = f"outputs vary by {found.output_variation:.2f} of their mean"
    if found.near_equal:
        then = f"These lengths are nearly equal, and do fall to {worst}: between T_worst and mu it is metastable"
    elif found.worst_rate < found.mu:
        then = (
            f"Were all lengths at their means, it would be {worst}; but {varied}: between T_worst and mu it may be "
            f"metastable ({ASK})"
        )
    else:
        then = f"That is a loose bound, and T_worst does not apply, as {varied}: up to mu it may be metastable ({ASK})"
    return (
        "mu holds if evicted requests keep their tokens (swap, or recompute whose second prefill is paid for in the "
        f"seconds per slot). If they restart from nothing, overload is only guaranteed {floor}. {then}"
    )


def _level(rate: float, with_prefill: float, count: int | None) -> str:
    workers = "" if count is None else f"{counted(count)}; "
    return f"{rate:.4g} requests/s ({workers}{with_prefill:.4g} if the prompts' slots are counted)"


def counted(workers: int) -> str:
    """Return ``1 worker`` or ``n workers``."""
    return f"{workers} worker{'' if workers == 1 else 's'}"


def _burst(found: Capacity) -> str:
    burst = found.burst
    if burst is None or burst.rate <= burst.mu:
        return ""
    return (
        f"burst: the worst {burst.window:.0f} s bring {burst.rate:.4g} requests/s against mu {burst.mu:.4g} of "
        f"{counted(burst.workers)}; {burst.backlog:.3g} s of work wait when they end ({burst.largest_backlog:.3g} s "
        "at the worst moment of the trace)"
    )


def _dependence(found: Capacity) -> str:
    if found.product_area is None:
        return ""
    off = found.mean_area / found.product_area - 1
    if abs(off) <= DEPENDENCE:
        return ""
    return (
        f"prompt and output depend on each other: their joint sample is used; as independent lengths they would give "
        f"mu {found.mu * (1 + off):.4g}, off by {off:+.1%}"
    )
