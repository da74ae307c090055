"""The explicit small instances with proven optima: list-greedy costs, and the optimum where brute force can go."""

import pytest

from instances.list_greedy import KEYS, flow_of, list_greedy
from kvratio.problem import Instance

# name, memory, requests (arrival, prompt, output), optimum, costs of fcfs, mc_sf, tsf, svf
GOLDEN = [
    ("A16", 16, [(0, 1, 15)] + [(12, 1, 1)] * 8, 34, (44, 44, 44, 44)),
    ("A36", 36, [(0, 1, 35)] + [(30, 1, 1)] * 18, 77, (126, 126, 126, 126)),
    ("B12", 12, [(0, 1, 11)] + [(k, 11, 1) for k in range(1, 12)], 34, (132, 132, 132, 132)),
    ("C16", 16, [(0, 15, 1)] * 4 + [(0, 1, 2)] * 8, 48, (64, 64, 48, 48)),
    ("D16", 16, [(0, 1, 6)] * 2 + [(0, 7, 1)] * 8, 39, (57, 40, 57, 40)),
    ("E36 o=6", 36, [(0, 1, 6)] + [(0, 35, 1)] * 4, 20, (40, 20, 40, 40)),
    ("E36 o=7", 36, [(0, 1, 7)] + [(0, 35, 1)] * 4, 21, (45, 21, 45, 45)),
    ("F12", 12, [(0, 1, 11), (0, 11, 1)] + [(0, 1, 1)] * 12, 35, (185, 45, 45, 35)),
    ("G20", 20, [(0, 1, 4)] * 16, 151, (160, 160, 160, 160)),
    ("J14", 14, [(0, 8, 6)] + [(6 * k - 1, 13, 1) for k in range(1, 7)], 13, (13, 13, 13, 13)),
]


@pytest.mark.parametrize(("memory", "rows", "optimum", "costs"), [g[1:] for g in GOLDEN], ids=[g[0] for g in GOLDEN])
def test_list_greedy_costs_of_the_golden_instances(memory, rows, optimum, costs):
    """Total flow of the four list-greedy orders is the published one, and never below the proven optimum."""
    arrival, prompt, output = zip(*rows, strict=True)
    inst = Instance(prompt=prompt, output=output, memory=memory, arrival=arrival)
    assert tuple(flow_of(inst, list_greedy(inst, key)) for key in KEYS) == costs
    assert min(costs) >= optimum
