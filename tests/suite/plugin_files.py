"""Users' files for the tests: sound ones, broken ones, and ones that peek."""

HEAD = """
from algos.card import Card, Parameter
from algos.engine.actions import evict, first_waiting, latest_started, need, next_waiting, room, start
from algos.engine.state import NEVER, WAITING
"""

TAIL = """
CARD = Card(
    id="{id}", title="t", family="tests", information="{information}", evicts="{evicts}", about="a", reference="r",
    source="s", decide=decide{more},
)
"""

#: starts whatever fits, in the order of the card
GREEDY = """
def decide(v):
    s = v.st[0]
    while need(v) > s.memory:
        evict(v, latest_started(v))
    i = first_waiting(v)
    while i >= 0:
        if room(v, i):
            start(v, i)
        i = next_waiting(v, i)
    return NEVER
"""

RAISES = """
def decide(v):
    s = v.st[0]
    i = first_waiting(v)
    start(v, i)
    return NEVER // (s.n_ended * 0)
"""

ENDLESS = """
def decide(v):
    k = v.st[0].now
    while k >= 0:
        k = (k * 7 + 3) & 1023
    return NEVER
"""

TWICE = """
def decide(v):
    start(v, 0)
    start(v, 0)
    return NEVER
"""

OUTSIDE = """
def decide(v):
    start(v, v.st[0].n + 10**12)
    return NEVER
"""

SETS = """
def decide(v):
    s = v.st[0]
    while need(v) > s.memory:
        evict(v, latest_started(v))
    for i in sorted({{i for i in range(s.n) if v.req[i].status == WAITING}}):
        if room(v, i):
            start(v, i)
    return NEVER
"""

REMEMBERS = """
CALLS = []
def decide(v):
    CALLS.append(1)
    s = v.st[0]
    while need(v) > s.memory:
        evict(v, latest_started(v))
    order = [i for i in range(s.n) if v.req[i].status == WAITING]
    for i in order if len(CALLS) % 3 else order[::-1]:
        if room(v, i):
            start(v, i)
    return NEVER
"""

#: outputs reach the order through a variable of the module
THROUGH_GLOBALS = """
SEEN = {}
def resolve(inst, params):
    SEEN["output"] = inst.output
    return params
"""

BAD_FAMILY = """
import numpy as np
from instances.card import REQUIRED, FamilyCard, Parameter
from instances.construction import Construction, declare, requests

DRAWN = np.random.default_rng()

@declare(FamilyCard(
    id="{id}", title="t", kind="batch", target="fcfs", effect="hurts", source="s", about="a",
    parameters=(Parameter("memory", REQUIRED, "memory M", low=4),),
))
def build(setting, memory):
    {body}
"""


def policy(body, id="mine", information="none", evicts="yes", more=""):
    """Return the text of a policy's file."""
    return (
        HEAD
        + body.replace("{{", "{").replace("}}", "}")
        + TAIL.format(id=id, information=information, evicts=evicts, more=more)
    )


def family(body, id="made"):
    """Return the text of a family's file."""
    return BAD_FAMILY.format(id=id, body=body)
