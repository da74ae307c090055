"""Instance families: adversarial constructions, random workloads, wrappers and trace loaders.

The names are loaded on first use, so that importing the package stays cheap.
"""

from __future__ import annotations

from kvratio.lazy import loaded_on_use

_HOMES = {
    "generate": "instances.registry",
    "family": "instances.registry",
    "family_ids": "instances.registry",
    "FamilyCard": "instances.card",
    "Parameter": "instances.card",
    "load_trace": "instances.traces",
}

__all__ = list(_HOMES)
__getattr__, __dir__ = loaded_on_use(__name__, _HOMES)
