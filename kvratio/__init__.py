"""kvratio: certified competitive ratios for KV-cache scheduling policies.

The public names are loaded on first use, so that importing the package stays cheap.
"""

from __future__ import annotations

from kvratio.lazy import loaded_on_use

__version__ = "0.1.0"

_HOMES = {
    "Instance": "kvratio.problem.instance",
    "InstanceBatch": "kvratio.problem.batch",
    "Schedule": "kvratio.problem.schedule",
    "Bound": "kvratio.problem.bound",
    "Certificate": "kvratio.problem.bound",
    "Clock": "kvratio.problem.clock",
    "RooflineClock": "kvratio.problem.clock",
    "presets": "kvratio.problem.presets",
    "PRESETS": "kvratio.problem.presets",
    "Requests": "kvratio.problem.requests",
    "Workload": "instances.workloads",
    "arrivals": "instances.workloads",
    "simulate": "algos.serving",
    "equilibrium": "stability",
    "measure": "kvratio.suite.serving.measure",
    "stability_verdict": "kvratio.suite.serving.verdict",
    "largest_stable_rate": "kvratio.suite.serving.largest",
    "check": "kvratio.problem.checker",
    **dict.fromkeys(
        (
            "KvratioError",
            "BadInstance",
            "BadParameter",
            "UnknownName",
            "InfeasibleSchedule",
            "PolicyError",
            "RoundLimit",
        ),
        "kvratio.problem.errors",
    ),
    **dict.fromkeys(("TraceError", "SolverError"), "kvratio.problem.errors"),
    "schedule": "algos",
    "bound": "lowerbounds",
    "load_trace": "instances",
    "generate": "kvratio.suite.generate",
    "run_suite": "kvratio.suite.run",
}

__all__ = ["__version__", *_HOMES]
__getattr__, __dir__ = loaded_on_use(__name__, _HOMES, ("__version__",))
