"""A small run with a failing policy, certificates, arrivals and an eviction, for tests of the page that reports it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import algos
from kvratio.suite.read import read_suite
from kvratio.suite.run import Run, run_suite

SUITE: dict[str, Any] = {
    "name": "shown",
    "title": "A suite to look at <& to escape>",
    "resamples": 50,
    "certificates": True,
    "bound": {"method": "squashed_area"},
    "policy": [
        {"id": "fcfs"},
        {"id": "mc_sf"},
        {"id": "svf", "label": "svf & co"},
        {"id": "vllm_fcfs", "label": "vllm recompute", "eviction": "recompute"},
    ],
    "family": [
        {
            "id": "uniform",
            "parameters": {"count": 30, "memory": 40, "prompt": [0, 5], "output": [1, 20]},
            "seeds": 2,
        },
        {"id": "blocker", "objective": "flow", "grid": {"memory": [8, 12]}},
    ],
}

#: what svf says where it fails
WORDS = "no <b>room</b> left"


def shown_run(folder: Path, monkeypatch: Any, **changes: Any) -> Run:
    """Run the suite above; svf fails on every instance with arrivals."""
    honest = algos.schedule

    def sometimes(inst: Any, policy: Any, **options: Any) -> Any:
        if not inst.is_batch and policy == "svf":
            raise RuntimeError(WORDS)
        return honest(inst, policy, **options)

    with monkeypatch.context() as patch:
        patch.setattr(algos, "schedule", sometimes)
        return run_suite(read_suite({**SUITE, **changes}, "shown.toml"), out=folder, workers=1, progress=False)
