"""Results made up by hand, for statistics, tables and figures."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kvratio.suite.plan import FamilySpec, PolicySpec, Suite
from kvratio.suite.store import RESULTS


def cells(rows: list[dict[str, Any]], **common: Any) -> pd.DataFrame:
    """Return a table of cells; what is left out gets a default, and each row its own instance."""
    default = {
        "family": "trap",
        "family_id": "trap",
        "parameters": '{"memory":64}',
        "instance_seed": 0,
        "policy": "fcfs",
        "policy_id": "fcfs",
        "eviction": "restart",
        "policy_seed": 0,
        "objective": "completion",
        "n": 10,
        "memory": 64,
        "status": "ok",
        "evictions": 0,
        "wasted_token_rounds": 0,
        "volume": 100,
        "bound_grade": "certified",
    }
    full = [{**default, "instance": f"instance-{k}", **common, **row} for k, row in enumerate(rows)]
    return pd.DataFrame([{name: row.get(name) for name in RESULTS.names} for row in full])


def two_by_two() -> tuple[Suite, pd.DataFrame]:
    """Two policies on two families: a guarantee that holds, an exact ratio, a failure, and recompute."""
    suite = Suite(
        "made-up",
        policies=(
            PolicySpec("gsa", "gsa:alpha=2", {"alpha": 2}),
            PolicySpec("vllm_fcfs", "vllm_fcfs", eviction="recompute"),
        ),
        families=(
            FamilySpec("sf_trap", "sf_trap", grid={"memory": (64, 256)}),
            FamilySpec("uniform", "50% & more", fixed={"count": 3}, seeds=(0, 1), objective="flow"),
        ),
    )
    gsa = {"policy": "gsa:alpha=2", "policy_id": "gsa"}
    vllm = {"policy": "vllm_fcfs", "policy_id": "vllm_fcfs", "eviction": "recompute"}
    trap = {"family": "sf_trap", "family_id": "sf_trap", "guarantee": 32.0, "guarantee_holds": True}
    rest = {"family": "50% & more", "family_id": "uniform", "objective": "flow", "parameters": '{"count":3}'}
    table = pd.concat(
        [
            cells([{"cost": 200, "lower": 60, "upper": 90}, {"cost": 300, "lower": 90, "upper": 100}], **gsa, **trap),
            cells(
                [{"cost": 200, "lower": 60, "upper": 90, "evictions": 5}],
                **vllm,
                **{**trap, "guarantee": None, "guarantee_holds": None},
            ),
            cells(
                [{"cost": 70, "lower": 35, "upper": 35, "wasted_token_rounds": 50}, {"status": "failed"}], **gsa, **rest
            ),
            cells([{"status": "failed"}], **vllm, **rest),
        ],
        ignore_index=True,
    )
    return suite, table
