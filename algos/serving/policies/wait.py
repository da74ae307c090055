"""WAIT: a type moves only when enough fresh requests of it wait (wait)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from algos.card import Parameter
from algos.papers import AO
from algos.serving import forming
from algos.serving.cards import Case, Layout, ServingCard
from algos.serving.settings import Counts, wait_thresholds
from algos.serving.state import NEVER
from algos.serving.unconditional import group_of_type


def decide(v):
    """Of every type with n fresh requests, move the first n of every stage; the other types are frozen."""
    s = v.st[0]
    s.u = 0
    flush = forming.is_flushing(v, v.param[2] == 1.0)
    for j in range(len(v.group)):
        g = v.group[j]
        fresh = v.queue[g.first].count
        if fresh >= g.bound or (flush and g.unfinished > 0):
            forming.propose(v, g.first_rank, min(g.bound, fresh))
            forming.decode_interior(v, j, g.bound)
    forming.admit_candidates(v)
    return NEVER


def layout(case: Case, settings: Mapping[str, Any]) -> Layout:
    """Give each type its queues, one for each stage up to the longest output of its requests."""
    requests = case.requests
    of_type = np.arange(len(requests.mix)) if settings["cuts"] is None else group_of_type(requests, settings["cuts"])
    kinds = np.ascontiguousarray(of_type[requests.type_of])
    longest = np.zeros(len(settings["thresholds"]), np.int64)
    np.maximum.at(longest, of_type, [kind.output for kind in requests.mix])
    np.maximum.at(longest, kinds, requests.output)
    base = np.concatenate([[0], np.cumsum(longest + 1)])
    ranks = np.concatenate([[0], np.cumsum(np.bincount(kinds, minlength=len(longest)))])
    groups = [
        {"bound": bound, "first": int(base[j]), "stop": int(base[j + 1]), "first_rank": int(ranks[j])}
        for j, bound in enumerate(settings["thresholds"])
    ]
    group = np.repeat(np.arange(len(longest)), longest + 1)
    return Layout(kinds, base[:-1].copy(), np.zeros(int(base[-1]), np.int64), group, groups, True)


FLUSH = Parameter("flush", True, "after the last arrival everything counts as ready")
MARGIN = Parameter("margin", 0.05, "share by which thresholds exceed the least possible ones", low=0.0)

CARDS = (
    ServingCard(
        id="wait",
        title="WAIT",
        information="type",
        about="Known types, each with a threshold n: a type runs only when n fresh requests of it wait; then every "
        "stage moves by at most n. Thresholds come from the fluid model.",
        reference="2504.11320",
        source=AO,
        eviction="restart",
        parameters=(
            Counts("thresholds", None, "n of each type of the mix; none: the least strict that fit"),
            MARGIN,
            FLUSH,
            Counts(
                "cuts", None, "largest output of each group of types that share a threshold; none: one for each type"
            ),
        ),
        decide=decide,
        resolve=wait_thresholds,
        layout=layout,
        scratch=lambda n: n,
    ),
)
