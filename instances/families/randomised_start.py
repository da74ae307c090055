"""O: the burst of A at a random time, drawn without looking at the policy."""

from instances.card import REQUIRED, FamilyCard, Parameter
from instances.construction import Construction, Setting, declare, requests
from instances.list_greedy import flow_of, list_greedy
from instances.long_request import long_flow, read_start, unit_flow_beside
from kvratio.problem.instance import Instance, IntArray

CARD = FamilyCard(
    id="randomised_start",
    letter="O",
    title="a burst at a random time behind the long request",
    kind="online",
    adaptive=True,
    oblivious=True,
    target="policies that start L at once",
    effect="hurts",
    parameters=(
        Parameter("memory", REQUIRED, "memory M (tokens)", low=2),
        Parameter(
            "c",
            1.0,
            "echoed only: it sets the burst time of burst_trap, which is drawn here",
            "float",
            low=0,
            open_low=True,
        ),
    ),
    ratio_text="O(log M) expected; uncertain: derived, not tested",
    source="derived here; the oblivious form of burst_trap",
    about="L = (1, M-1) and floor(M/2) requests (1, 1) that arrive at r, uniform on 0..M, drawn once per seed. Report "
    "the mean over seeds. The ratio stored is that of starting L at 0.",
)


def _burst_or_long_first(inst: Instance) -> IntArray:
    """Return the cheaper of 'the burst at r, L after it' and list-greedy with L at 0."""
    burst_first = inst.arrival.copy()
    burst_first[0] = inst.arrival[1] + 1
    return min(burst_first, list_greedy(inst, "fcfs"), key=lambda starts: flow_of(inst, starts))


@declare(CARD)
def randomised_start(setting: Setting, memory: int, c: float) -> Construction:
    """Build L and a burst at a random time."""
    m = memory // 2
    r = int(setting.rng().integers(0, memory, endpoint=True))
    # The policy is probed only to record what it does: the burst does not depend on it.
    b = None if setting.probe is None else read_start(setting, memory, 0)
    return Construction(
        requests(memory, (1, 0, 1, memory - 1), (m, r, 1, 1)),
        witness=_burst_or_long_first,
        forced_cost=long_flow(memory, 0) + unit_flow_beside(memory, 0, first=r, times=1, count=m),
        start=b,
        notes={"burst_arrival": r},
    )
