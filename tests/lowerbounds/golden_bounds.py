"""The golden instances: bounds of small adversarial instances, total flow, proved by two solvers."""

from __future__ import annotations

from kvratio.problem import Instance


def requests(rows: list[tuple[int, int, int]], memory: int) -> Instance:
    """Build an instance from (arrival, prompt, output) triples."""
    arrival, prompt, output = zip(*rows, strict=True)
    return Instance(prompt=prompt, output=output, memory=memory, arrival=arrival)


INSTANCES: dict[str, Instance] = {
    "A16": requests([(0, 1, 15)] + 8 * [(12, 1, 1)], 16),
    "A36": requests([(0, 1, 35)] + 18 * [(30, 1, 1)], 36),
    "B": requests([(0, 1, 11)] + [(k, 11, 1) for k in range(1, 12)], 12),
    "C": requests(4 * [(0, 15, 1)] + 8 * [(0, 1, 2)], 16),
    "D": requests(2 * [(0, 1, 6)] + 8 * [(0, 7, 1)], 16),
    "E": requests([(0, 1, 6)] + 4 * [(0, 35, 1)], 36),
    "F": requests([(0, 1, 11), (0, 11, 1)] + 12 * [(0, 1, 1)], 12),
    "G": requests(16 * [(0, 1, 4)], 20),
    "J": requests([(0, 8, 6)] + [(6 * k - 1, 13, 1) for k in range(1, 7)], 14),
}

COLUMNS = ("OPT", "LP", "LB0", "LB1", "LB1*", "LB2", "LB2r", "LB3r", "LB4", "LB4r", "T1")

#: total flow, except T1 (a completion round)
VALUES: dict[str, tuple[float, ...]] = {
    "A16": (34, 32.889, 23, -82.062, 23, -77.355, -77.341, 23, 17.645, 17.659, 35),
    "A36": (77, 75.905, 53, -511.028, 53, -499.632, -499.626, 53, 39.368, 39.374, 83),
    "B": (34, 32.433, 22, 17.417, 29, 18.280, 18.299, 29, 27.565, 27.584, 33),
    "C": (48, 40.167, 20, 31.250, 39, 37.200, 37.600, 37, 37.200, 37.600, 20),
    "D": (39, 37.938, 20, 31.062, 34, 36.079, 36.148, 34, 36.079, 36.148, 20),
    "E": (20, 16.833, 10, 13.750, 16, 15.727, 15.852, 16, 15.727, 15.852, 10),
    "F": (35, 34.167, 24, 25.417, 32, 31.280, 31.299, 32, 31.280, 31.299, 24),
    "G": (151, 144.744, 64, 95.200, 110, 115.886, 116.000, 110, 115.886, 116.000, 64),
    "J": (13, 13.000, 12, -88.071, 12, -87.789, -87.783, 12, 11.211, 11.217, 47),
}

#: dual at the batch warm-start prices, total flow
WARM_DUAL = {"B": 19.520, "C": 37.200, "D": 36.925, "E": 16.608, "F": 32.289, "G": 115.886}

#: instances that simpler methods get wrong (short horizons, starts at completions only, list orders): optimal flow
HORIZON_TRAPS = {
    "idle first round": (INSTANCES["B"], 34),
    "late finish": (
        requests([(0, s, o) for s, o in ((4, 3), (1, 6), (2, 4), (2, 3), (1, 4), (0, 5))], 8),
        57,
    ),
    "starts between completions": (requests([(0, s, o) for s, o in ((1, 4), (2, 4), (2, 4), (2, 5))], 10), 28),
    "no order decodes to it": (
        requests([(0, s, o) for s, o in ((2, 1), (2, 4), (2, 7), (2, 9), (3, 3))], 13),
        33,
    ),
    "E with o = 7": (requests([(0, 1, 7)] + 4 * [(0, 35, 1)], 36), 21),
}
