"""Capacity of workers with KV memory: the rate that they can carry, and how many a workload needs.

After "Capacity" of arXiv 2605.04595: one slot is one batch of constant length, and a request occupies an area, the sum
of its memory footprints over its slots. The names are loaded on first use, so that importing the package stays cheap.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "area": "areas",
    "remaining_area": "areas",
    "Capacity": "result",
    "capacity": "provision",
    "mixture": "fleets",
    "Fleet": "fleets",
    "fleet": "fleets",
    "gpus_needed": "fleets",
    "Joint": "lengths",
    "Independent": "lengths",
    "Mixed": "lengths",
    "as_lengths": "lengths",
    "Marginal": "distributions",
    "distribution": "distributions",
    "SlotTime": "seconds",
    "slot_time": "seconds",
    "measured_slot": "seconds",
    "KVMemory": "gpu_memory",
    "ModelShape": "gpu_memory",
    "SHAPES": "gpu_memory",
    "kv_memory": "gpu_memory",
    "MuInterval": "bootstrap",
    "mu_interval": "bootstrap",
    "Burst": "burst",
    "worst_burst": "burst",
    "Variant": "variants",
    "sensitivity": "variants",
    "Published": "printed",
    "published": "printed",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'stability.capacity' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"stability.capacity.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
