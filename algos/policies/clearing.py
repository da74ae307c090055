"""Clearing heuristics: admit up to a share of memory, clear on overflow (alpha_protection, alpha_beta_clearing)."""

from __future__ import annotations

import numpy as np

from algos.card import Card, Parameter
from algos.engine.actions import evict, first_running, first_waiting, need, next_running, next_use, start
from algos.engine.state import DONE, NEVER
from algos.papers import JAILLET
from kvratio.problem.compiled import inlined


def decide_protection(v):
    """Evict everything on overflow; after two such clearings without a completion run one request at a time.

    ``s.u`` counts the clearings. No wake times: between events the demand only grows towards the limit.
    """
    s = v.st[0]
    for k in range(s.n_ended):
        if v.req[v.ended[k]].status == DONE:
            s.u = 0
    if need(v) > s.memory:
        while s.running > 0:
            evict(v, v.run[s.running - 1])
        s.u += 1
    _admit(v, s.u >= 2)
    return NEVER


def decide_clearing(v):
    """Sweep over the running by rank on overflow, evict each with probability beta, until the next round fits.

    No wake times, as for alpha_protection.
    """
    s = v.st[0]
    while need(v) > s.memory:
        i = first_running(v)
        while i >= 0:
            if coin(s) < v.param[1]:
                evict(v, i)
            i = next_running(v, i)
    _admit(v, False)
    return NEVER


@inlined
def _admit(v, alone):
    """Start by rank up to the share 1 - alpha of memory; with nothing running the head always starts."""
    s = v.st[0]
    reach = np.int64(np.floor((1 - v.param[0]) * s.memory + 1e-9))
    i = first_waiting(v)
    while i >= 0:
        if s.running > 0 and (alone or need(v) + next_use(v, i) > reach):
            break
        start(v, i)
        i = first_waiting(v)


@inlined
def coin(s):
    """Draw from [0, 1) by SplitMix64 on the 64 bits of ``s.coins``: a 53-bit fraction."""
    state = np.uint64(s.coins) + np.uint64(0x9E3779B97F4A7C15)
    s.coins = np.int64(state)
    z = state
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    # Fewer than 2^53 fractions: exact as a signed integer and as a float.
    return np.float64(np.int64(z >> np.uint64(11))) * 2.0**-53


ALPHA = Parameter("alpha", 0.2, "share of memory kept free on admission", low=0.0, high=1.0)

CARDS = (
    Card(
        id="alpha_protection",
        title="Protected memory, clear all",
        family="clearing",
        information="none",
        evicts="yes",
        about="Admits by rank up to the share 1 - alpha of memory and evicts everything on overflow. After two "
        "clearings without a completion only one request runs (ours: without it equal requests fail for ever).",
        reference="2502.07115",
        source=JAILLET,
        parameters=(ALPHA,),
        decide=decide_protection,
    ),
    Card(
        id="alpha_beta_clearing",
        title="Protected memory, clear at random",
        family="clearing",
        information="none",
        evicts="yes",
        about="Admits by rank up to the share 1 - alpha of memory; on overflow each running request is evicted with "
        "probability beta, sweep after sweep, until the next round fits. Can take very many rounds.",
        reference="2502.07115",
        source=JAILLET,
        parameters=(
            ALPHA,
            Parameter("beta", 0.2, "probability of eviction in a sweep", low=0.0, high=1.0, above=True),
        ),
        randomised=True,
        decide=decide_clearing,
    ),
)
