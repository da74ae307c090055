"""Instance families: adversarial constructions, random workloads, wrappers and trace loaders.

The names are loaded on first use, so that importing the package stays cheap.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "generate": "instances.registry",
    "family": "instances.registry",
    "family_ids": "instances.registry",
    "FamilyCard": "instances.card",
    "Parameter": "instances.card",
    "load_trace": "instances.traces",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'instances' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
