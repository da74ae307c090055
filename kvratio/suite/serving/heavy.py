"""Heavy traffic: how the gap between throughput and its fluid value shrinks as the system grows.

At scale z rates are multiplied by z and d0, d1, d2 divided by it, memory and horizon stay. The gap is the part of the
tokens due up to the horizon that has not been delivered, per second and per unit of scale. Where the conditions of WAIT
hold with equality it falls as (zT)^(-1/2), where they are strict as (zT)^(-1); a policy that loses throughput for good
keeps a gap that does not fall (Ao, Luo, Simchi-Levi, Wang, arXiv 2504.11320).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from algos.serving import simulate
from instances.workloads.load import Workload
from kvratio.problem.clock import Clock
from kvratio.problem.errors import BadParameter
from kvratio.problem.requests import Requests
from kvratio.suite.plan import PolicySpec
from kvratio.suite.progress import Reporter, Silent
from kvratio.suite.serving.experiment import Scaling
from kvratio.suite.serving.student import mean_and_half_width
from kvratio.suite.serving.trial import warm_up
from kvratio.suite.workers import parallel

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class HeavyTraffic:
    """Gaps of one scaling.

    Attributes
    ----------
    label : str
    table : DataFrame
        One row per (policy, scale): mean gap in tokens per second and per unit of scale, its half width, its share of
        the fluid throughput.
    slopes : DataFrame
        One row per policy: the slope of log gap against log scale, with the 95 % half width over replications.
    """

    label: str
    table: pd.DataFrame
    slopes: pd.DataFrame


def throughput_gap(scaling: Scaling, policy: PolicySpec, factor: float, replication: int) -> float:
    """Return the gap of one replication, tokens per second and per unit of scale.

    Arrivals up to the horizon are those of a Poisson process at the scaled rates; what they ask for beyond what was
    delivered by the horizon is the gap. Its mean is that of fluid throughput minus throughput, with less noise.
    """
    requests = _until(scaling, factor, replication)
    if requests is None:
        return 0.0
    clock = Clock(scaling.d0 / factor, scaling.d1 / factor, scaling.d2 / factor)
    given = dict(policy.parameters)
    run = simulate(
        requests, policy.id, clock, scaling.memory, policy.eviction, cut=scaling.horizon, **given
    )  # fmt: skip
    missing = int(requests.output[~run.completed & ~run.refused].sum())
    return missing / (factor * scaling.horizon)


def _until(scaling: Scaling, factor: float, replication: int) -> Requests | None:
    """Return what arrives before the horizon; policies that flush after the last arrival must have that off."""
    load = Workload(scaling.types)
    rate = load.rate * factor
    expected = rate * scaling.horizon
    n = math.ceil(expected + 8 * math.sqrt(expected) + 20)
    drawn = load.draw(n, scaling.seed + replication, rate)
    inside = int(np.searchsorted(drawn.arrival, scaling.horizon, side="right"))
    if inside >= n:
        raise BadParameter(f"{scaling.label}: the draw ended before the horizon: report the seed")
    if not inside:
        return None
    keep = slice(0, inside)
    return Requests(
        drawn.prompt[keep], drawn.output[keep], drawn.arrival[keep], drawn.kind[keep], drawn.types, name=load.name
    )


def heavy_traffic(scaling: Scaling, workers: int = 1, tell: Reporter | None = None) -> HeavyTraffic:
    """Measure the gap of every policy at every scale, and fit the slopes."""
    import pandas as pd

    tell = tell or Silent()
    warm_up(scaling.policies)
    keys = [
        (p, z, k)
        for p in range(len(scaling.policies))
        for z in range(len(scaling.factors))
        for k in range(scaling.replications)
    ]
    tell.stage(scaling.label, len(keys))
    found: dict[tuple[int, int, int], float] = {}
    for key, gap in parallel(_keyed, [(scaling, key) for key in keys], workers):
        found[key] = gap
        tell.advance()
    rows, slopes = [], []
    fluid = sum(output * rate for _, output, rate in scaling.types)
    for p, policy in enumerate(scaling.policies):
        gaps = np.array([[found[p, z, k] for k in range(scaling.replications)] for z in range(len(scaling.factors))])
        for z, factor in enumerate(scaling.factors):
            mean, half = mean_and_half_width(gaps[z])
            row = {"policy": policy.label, "scale": factor, "gap": mean, "gap_half": half}
            rows.append({**row, "share_of_throughput": mean / fluid, "replications": scaling.replications})
        slope, half = log_slope(scaling.factors, gaps)
        slopes.append({"policy": policy.label, "slope": slope, "slope_half": half})
    return HeavyTraffic(scaling.label, pd.DataFrame(rows), pd.DataFrame(slopes))


def _keyed(scaling: Scaling, key: tuple[int, int, int]) -> tuple[tuple[int, int, int], float]:
    p, z, k = key
    return key, throughput_gap(scaling, scaling.policies[p], scaling.factors[z], k)


def log_slope(factors: Sequence[float], gaps: Any) -> tuple[float, float]:
    """Return the least-squares slope of log mean gap against log scale, and its 95 % half width by the jackknife.

    Parameters
    ----------
    factors : sequence of Z floats
    gaps : float[Z, R]
        One column per replication.

    Returns
    -------
    tuple of float
        nan where a mean gap is 0.
    """
    gaps = np.asarray(gaps, dtype=np.float64)
    count = gaps.shape[1]
    if (gaps.mean(axis=1) <= 0).any():
        return math.nan, math.nan
    full = _slope(factors, gaps.mean(axis=1))
    without = [np.delete(gaps, k, axis=1).mean(axis=1) for k in range(count)]
    if any((mean <= 0).any() for mean in without):
        return full, math.nan
    pseudo = [count * full - (count - 1) * _slope(factors, mean) for mean in without]
    return full, mean_and_half_width(pseudo)[1]


def _slope(factors: Sequence[float], means: Any) -> float:
    x = np.log(np.asarray(factors, dtype=np.float64))
    x -= x.mean()
    return float(x @ np.log(means) / (x @ x))
