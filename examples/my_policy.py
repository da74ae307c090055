"""A policy of one's own: largest peak first, but what has waited `patience` rounds goes before all others."""

from algos import schedule
from algos.card import Card, Parameter
from algos.engine.actions import evict, first_waiting, latest_started, need, next_waiting, room, start
from algos.engine.state import NEVER
from kvratio import Instance, check


def decide(v):
    """Evict the newest on overflow; start the patient in order, then the others, while the next round fits."""
    s = v.st[0]
    while need(v) > s.memory:
        evict(v, latest_started(v))
    wake = NEVER
    for patient in (True, False):
        i = first_waiting(v)
        while i >= 0:
            due = v.req[i].arrival + int(v.param[0])
            if (due <= s.now or not patient) and room(v, i):
                start(v, i)
            elif due > s.now:
                wake = min(wake, due)  # nothing else happens then, so the engine must be asked to come back
            i = next_waiting(v, i)
    return wake


MINE = Card(
    id="patient_largest", title="Largest first, with patience", family="examples", information="prediction",
    evicts="yes", about="Shows how a policy is written.", reference="none", source="this example",
    parameters=(Parameter("patience", 20, "rounds of waiting after which a request goes first", low=0, whole=True),),
    key=lambda known, params: -(known.prompt + known.estimate), decide=decide,
)  # fmt: skip

if __name__ == "__main__":
    inst = Instance(prompt=[2, 0, 9, 1], output=[5, 7, 1, 10], memory=16, arrival=[0, 0, 1, 3])
    sch = schedule(inst, MINE, patience=4)
    check(inst, sch)
    print(sch)
