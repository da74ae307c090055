"""What each bound method is, in one line; the methods themselves live in `lowerbounds`."""

from __future__ import annotations

from kvratio.problem.errors import UnknownName

ABOUT = {
    "best": "cheapest first, chosen by size: schedules, closed forms, prices, LP, brute force, integer program",
    "exact": "the optimum of small instances: brute force, else the backward search (work_limit, memory_mb)",
    "brute": "search over all left-shifted schedules (n <= 8)",
    "milp": "time-indexed integer program (solver = highs, cbc or both; nodes)",
    "lp": "its linear relaxation; the prices are the certificate",
    "lagrangian": "prices of memory per round, improved by ascent (iterations) and certified in integers",
    "squashed_area": "LB1*: total volume over memory, arrivals respected (arXiv 2606.22327)",
    "mean_busy_time": "LB2r, LB4r: mean busy times of the smallest-volume-first machine",
    "srpt": "LB3r: preemptive shortest remaining volume on one machine of M units a round",
    "latency": "LB0: every request needs its own rounds",
}


def methods() -> dict[str, str]:
    """Return the bound methods and what each is, in the order in which `lowerbounds` names them."""
    from lowerbounds.best import METHODS

    return {name: ABOUT.get(name, "") for name in METHODS}


def is_built_in(name: str) -> bool:
    """Whether a method of that name is one of ours."""
    return name in methods()


def require(name: str) -> str:
    """Return the name of a method; raise UnknownName if there is none of that name."""
    known = methods()
    if name not in known:
        raise UnknownName(f"bound method {name!r} is not known: choose one of {', '.join(known)}")
    return name
