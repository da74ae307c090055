"""The generators fitted to real traces, as families like any other."""

from __future__ import annotations

from functools import partial
from typing import Any

from instances.card import FamilyCard
from instances.construction import Construction, Family, Setting
from instances.drawing import shortest_or_smallest
from instances.traces.fitted import FITTED, Fitted


def as_family(fitted: Fitted) -> Family:
    """Return the family of one fitted generator; with a rate its instances are online, else a batch."""
    card = FamilyCard(
        id=fitted.id,
        title=fitted.title,
        group="fitted",
        parameters=tuple(fitted.parameters),
        source=fitted.source,
        about=fitted.about,
    )
    return Family(card, partial(_draw, fitted))


def _draw(fitted: Fitted, setting: Setting, **parameters: Any) -> Construction:
    inst = fitted.function(**parameters, seed=setting.seed)
    notes = {name: value for name, value in inst.info.items() if name not in ("family", "seed", "parameters", "ratio")}
    return Construction(inst, witness=shortest_or_smallest, notes=notes)


#: the fitted families by id
FITTED_FAMILIES: dict[str, Family] = {family_id: as_family(fitted) for family_id, fitted in FITTED.items()}
