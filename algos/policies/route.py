"""route: rect and response in doubling slots, each on the requests it suits (arXiv 2607.09248, docs/policies.md 7)."""

from __future__ import annotations

import numpy as np

from algos.card import Card
from algos.engine import bitset, queue
from algos.engine.actions import first_waiting, next_waiting, start_capped
from algos.engine.state import DONE, NEVER
from algos.papers import FENG_ROUTING
from algos.timetable.guarantees import ROUTE_GUARANTEE
from algos.timetable.rectangles import is_large, set_cap, start_rectangles, wait_for_rectangle
from algos.timetable.slices import pipeline_width
from kvratio.problem.compiled import inlined

# Branches: rect on small requests not certified, response on certified ones, rect on large ones.
SMALL, CERTIFIED, LARGE = 0, 1, 2

# Scratch: scalars, then the stage's list, the two queues of rect, and the ordered set of certified requests.
# STAGE q of response, its slice TAU and WIDTH; entries LEFT .. SIZE - 1 of its list have not been run; of the part that
# runs, NEXT .. LEFT - 1 have not started, OPENS is the epoch of the next, STOPS that of the part's end.
STAGE, TAU, WIDTH, LEFT, SIZE, NEXT, OPENS, CARRIED, STOPS, SCALARS = range(10)

# Scalars: s.u unfinished requests of the batch, s.v turns taken by branches, s.w end of the slot, s.x memory reserved.


@inlined
def _queue_at(v, branch):
    """Where in the scratch the queue of a rect branch begins."""
    n = len(v.order)
    return SCALARS + n + (1 + 4 * n if branch == LARGE else 0)


@inlined
def _certified_at(v):
    """Where in the scratch the set of certified requests begins."""
    n = len(v.order)
    return SCALARS + n + 2 * (1 + 4 * n)


@inlined
def _wait(v, i, branch, exponent):
    """Let request i wait in a rect branch with its cap of that exponent."""
    set_cap(v, i, exponent)
    wait_for_rectangle(v, queue.Queue(v.own, _queue_at(v, branch), len(v.order)), i)


@inlined
def _deal(v):
    """Take all that wait as the next batch and deal them to the branches; the first slot begins now."""
    s, own, n = v.st[0], v.own, len(v.order)
    certified = v.own[_certified_at(v) :]
    bitset.clear_all(certified, n)
    i = first_waiting(v)
    while i >= 0:
        r = v.req[i]
        s.u += 1
        if r.prompt == 0:
            bitset.insert(certified, i)
        else:
            _wait(v, i, LARGE if is_large(r.prompt, s.memory) else SMALL, 0)
        i = next_waiting(v, i)
    s.v = 0
    s.w = s.now + 1
    s.x = 0
    own[STAGE] = -1
    own[LEFT] = own[SIZE] = own[NEXT] = 0
    own[STOPS] = s.now


@inlined
def _close(v):
    """Book the attempts that ended: completed, certified, or waiting with the next cap."""
    s = v.st[0]
    branch = s.v % 3
    certified = v.own[_certified_at(v) :]
    for k in range(s.n_ended):
        i = v.ended[k]
        r = v.req[i]
        done = r.status == DONE
        if done:
            s.u -= 1
        if branch == CERTIFIED:
            if done:
                bitset.discard(certified, i)
            continue
        s.x -= r.d
        if done:
            continue
        if branch == SMALL and r.c == r.prompt:
            bitset.insert(certified, i)
        else:
            _wait(v, i, branch, r.b + 1)


@inlined
def _form_stage(v):
    """List the certified with prompt <= 2^q for the next q that has any, and fix slice and width."""
    s, own, n = v.st[0], v.own, len(v.order)
    certified = v.own[_certified_at(v) :]
    size, padding, reach = 0, 0, 0
    while size == 0:
        own[STAGE] += 1
        # From 2^61 on a stage is the same whatever its number: all alone and uncapped.
        reach = np.int64(1) << min(own[STAGE], np.int64(61))
        i = bitset.first(certified)
        while i >= 0:
            if v.req[i].prompt <= reach:
                own[SCALARS + size] = i
                size += 1
                padding = max(padding, v.req[i].prompt)
            i = bitset.following(certified, i + 1, n)
    own[LEFT], own[SIZE] = 0, size
    if reach >= 2 * s.memory:
        own[TAU] = NEVER
        return
    own[TAU] = min(reach, s.memory - padding)
    own[WIDTH] = pipeline_width(own[TAU], padding, s.memory)


@inlined
def _begin_part(v):
    """Take the longest prefix of the stage's list whose slices end in the slot, or one request alone."""
    s, own = v.st[0], v.own
    own[NEXT], own[OPENS], own[CARRIED], own[STOPS] = own[LEFT], s.now, 0, s.now
    if own[LEFT] == own[SIZE]:
        if bitset.first(v.own[_certified_at(v) :]) < 0:
            return
        _form_stage(v)
        own[NEXT] = 0
    if own[TAU] == NEVER:
        if s.now + s.memory - v.req[own[SCALARS + own[LEFT]]].prompt <= s.w:
            own[LEFT] += 1
        return
    step, part = own[TAU] // own[WIDTH], own[TAU] % own[WIDTH]
    opens, carried = s.now, 0
    while own[LEFT] < own[SIZE] and opens + own[TAU] <= s.w:
        own[STOPS] = opens + own[TAU]
        own[LEFT] += 1
        opens += step
        carried += part
        if carried >= own[WIDTH]:
            carried -= own[WIDTH]
            opens += 1


@inlined
def _respond(v):
    """Begin the next part when none runs, and start the requests whose place in it has come.

    Returns
    -------
    int64
        The next epoch at which to ask again.
    """
    s, own = v.st[0], v.own
    if s.running == 0 and s.now >= own[STOPS]:
        _begin_part(v)
    while own[NEXT] < own[LEFT] and own[OPENS] == s.now:
        start_capped(v, own[SCALARS + own[NEXT]], own[TAU])
        own[NEXT] += 1
        if own[TAU] == NEVER:
            return NEVER
        own[OPENS] += own[TAU] // own[WIDTH]
        own[CARRIED] += own[TAU] % own[WIDTH]
        if own[CARRIED] >= own[WIDTH]:
            own[CARRIED] -= own[WIDTH]
            own[OPENS] += 1
    if own[NEXT] < own[LEFT]:
        return own[OPENS]
    return own[STOPS] if own[STOPS] > s.now else NEVER


def decide(v):
    """Run the branch whose slot it is; when it has nothing running and starts nothing, go on to the next slot.

    Wakes for the next start and the end of a part of response's timetable; rect acts only when an attempt ends.
    """
    s, own = v.st[0], v.own
    _close(v)
    if s.u == 0:
        _deal(v)
        if s.u == 0:
            return NEVER
    while True:
        wake = NEVER
        if s.v % 3 == CERTIFIED:
            wake = _respond(v)
        else:
            waiting = queue.Queue(v.own, _queue_at(v, s.v % 3), len(v.order))
            s.x = start_rectangles(v, waiting, s.x, s.w)
        if s.running > 0 or (s.v % 3 == CERTIFIED and s.now < own[STOPS]):
            return wake
        s.v += 1
        s.w = s.now + (np.int64(1) << min(s.v // 3, np.int64(61)))


CARDS = (
    Card(
        id="route",
        title="Routing by regime",
        family="unequal prompts",
        information="none",
        arrivals="batch rule",
        evicts="at the end of each attempt, by design",
        allowed_evictions=("restart",),
        about="Deals slots of doubling length to three branches: rect on small requests until they have proved longer "
        "than their prompt, response on those that have, rect on large ones.",
        reference="2607.09248",
        source=FENG_ROUTING,
        guarantee=ROUTE_GUARANTEE,
        decide=decide,
        key=lambda known, settings: known.arrival,
        scratch=lambda n, memory, settings, known: SCALARS + n + 2 * queue.words_needed(n) + bitset.words_needed(n),
    ),
)
