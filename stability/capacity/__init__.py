"""Capacity of workers with KV memory: the rate that they can carry, and how many a workload needs.

After "Capacity" of arXiv 2605.04595: one slot is one batch of constant length, and a request occupies an area, the sum
of its memory footprints over its slots. The names are loaded on first use, so that importing the package stays cheap.
"""

from __future__ import annotations

from kvratio.lazy import loaded_on_use

_HOMES = {
    "area": ".areas",
    "remaining_area": ".areas",
    "Capacity": ".result",
    "capacity": ".provision",
    "mixture": ".fleets",
    "Fleet": ".fleets",
    "fleet": ".fleets",
    "gpus_needed": ".fleets",
    "Joint": ".lengths",
    "Independent": ".lengths",
    "Mixed": ".lengths",
    "as_lengths": ".lengths",
    "Marginal": ".distributions",
    "distribution": ".distributions",
    "SlotTime": ".seconds",
    "slot_time": ".seconds",
    "measured_slot": ".seconds",
    "KVMemory": ".gpu_memory",
    "ModelShape": ".gpu_memory",
    "SHAPES": ".gpu_memory",
    "kv_memory": ".gpu_memory",
    "MuInterval": ".bootstrap",
    "mu_interval": ".bootstrap",
    "Burst": ".burst",
    "worst_burst": ".burst",
    "Variant": ".variants",
    "sensitivity": ".variants",
    "Published": ".printed",
    "published": ".printed",
}

__all__ = list(_HOMES)
__getattr__, __dir__ = loaded_on_use(__name__, _HOMES)
